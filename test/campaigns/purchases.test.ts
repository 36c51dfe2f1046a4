import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../src/sandbox/admin.js';
import { secondPurchases } from './support/invariants.js';

const tags = { 'anneal:model': 'orders', 'anneal:run': 'run-1', 'anneal:workflow': 'fine-tune/orders' };

function entry(action: LedgerEntry['action'], kind: LedgerEntry['kind'], run = 'run-1') {
  return { action, kind, name: `orders-${kind}`, tags: { ...tags, 'anneal:run': run } };
}

it.each([
  ['one of each kind', ['trainingJob', 'deployment', 'provisionedThroughput'], []],
  ['two jobs', ['trainingJob', 'trainingJob'], [false]],
  ['two deployments', ['deployment', 'deployment'], [false]],
] as const)('sees what a run has bought twice: %s', (_, kinds, replacements) => {
  const ledger = kinds.map((kind) => entry('create', kind));
  expect(secondPurchases(ledger, 'orders').map(({ isReplacement }) => isReplacement)).toEqual(replacements);
  expect(secondPurchases(ledger, 'returns')).toEqual([]);
});

it('counts runs apart', () => {
  expect(
    secondPurchases([entry('create', 'deployment'), entry('create', 'deployment', 'run-2')], 'orders'),
  ).toEqual([]);
});

it.each([
  ['deployment', true],
  ['provisionedThroughput', true],
  ['trainingJob', false],
] as const)('knows whether a %s that was deleted before leaves nothing twice', (kind, isReplacement) => {
  const ledger = [entry('create', kind), entry('delete', kind), entry('create', kind)];
  expect(secondPurchases(ledger, 'orders')).toMatchObject([
    { isReplacement, run: 'run-1', workflowId: 'fine-tune/orders' },
  ]);
});
