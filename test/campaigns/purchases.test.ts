import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../src/sandbox/admin.js';
import { secondPurchases } from './support/invariants.js';

function entry(action: LedgerEntry['action'], kind: LedgerEntry['kind'], run = 'run-1') {
  return { action, kind, name: `orders-${kind}`, tags: { 'anneal:model': 'orders', 'anneal:run': run } };
}

it.each([
  ['one of each kind', ['trainingJob', 'deployment', 'provisionedThroughput'], 0],
  ['two jobs', ['trainingJob', 'trainingJob'], 1],
  ['two deployments', ['deployment', 'deployment'], 1],
] as const)('sees what a run has bought twice: %s', (_, kinds, repeated) => {
  const ledger = kinds.map((kind) => entry('create', kind));
  expect(secondPurchases(ledger, 'orders')).toHaveLength(repeated);
  expect(secondPurchases(ledger, 'returns')).toEqual([]);
});

it('counts runs apart', () => {
  expect(
    secondPurchases([entry('create', 'deployment'), entry('create', 'deployment', 'run-2')], 'orders'),
  ).toEqual([]);
});

it.each(['deployment', 'provisionedThroughput', 'trainingJob'] as const)(
  'counts a %s that was bought again after it had been deleted',
  (kind) => {
    const ledger = [entry('create', kind), entry('delete', kind), entry('create', kind)];
    expect(secondPurchases(ledger, 'orders')).toEqual([`a second ${kind} of run run-1: orders-${kind}`]);
  },
);
