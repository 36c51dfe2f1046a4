import { allows, createOperations, operationsOf } from '../../../src/sandbox/faults/operations.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import { sample } from '../support/random.js';
import { type CloudCall, cloudCalls, titleOf } from './calls.js';
import { journeyOf } from './journeys.js';

type Rule = FaultScript['faults'][number];
export type GivenFault = Rule['fault'];

/** Every fault with the parameters that it is played with, by the name of its column. Durations are short. */
export const faults = {
  throttle: { kind: 'throttle' },
  'error-500': { kind: 'error', status: 500 },
  'error-503': { kind: 'error', status: 503 },
  accessDenied: { kind: 'accessDenied' },
  expiredToken: { kind: 'expiredToken' },
  conflict: { kind: 'conflict' },
  capacity: { kind: 'capacity' },
  reset: { kind: 'reset' },
  slow: { kind: 'slow', delayMs: 300 },
  timeoutBefore: { kind: 'timeoutBefore', holdMs: 300 },
  timeoutAfterCommit: { kind: 'timeoutAfterCommit' },
  malformedBody: { kind: 'malformedBody', body: 'truncated' },
  staleList: { kind: 'staleList', mutations: 1 },
  notFoundAfterCreate: { kind: 'notFoundAfterCreate', reads: 3 },
  stuck: { kind: 'stuck' },
  backwards: { kind: 'backwards' },
  'no-artifact': { kind: 'completedWithoutArtifact', missing: 'both' },
  'no-artifact-named': { kind: 'completedWithoutArtifact', missing: 'arn' },
  'no-artifact-made': { kind: 'completedWithoutArtifact', missing: 'model' },
  jobFailed: { kind: 'jobFailed' },
  'jobFailed-late': { kind: 'jobFailed', stage: 'training', afterMinutes: 5 },
  deploymentFailed: { kind: 'deploymentFailed' },
} as const satisfies Record<string, GivenFault>;

export type FaultName = keyof typeof faults;
export const positions = ['first', 'nth', 'always'] as const;
export type Position = (typeof positions)[number];

/** One cloud call that meets one fault. */
export interface Cell {
  readonly name: string;
  readonly affinity: string;
  readonly call: CloudCall;
  readonly fault: FaultName;
  readonly position: Position;
}

/** Far more calls than a lifecycle makes. */
const manyCalls = 400;

export function ruleOf({ call, fault, position }: Cell): Rule {
  const { operation, match, from = 1 } = call;
  const always = Array.from({ length: manyCalls }, (_, index) => from + index);
  const nth = { first: from, nth: from + 1, always: from === 1 ? ('always' as const) : always }[position];
  return { operation, nth, ...(match && { match }), fault: faults[fault] };
}

/** Every call × every fault that can happen to it × every position that it has. */
export function allCells(calls: readonly CloudCall[] = cloudCalls): Cell[] {
  return calls.flatMap((call) => faultsOf(call).flatMap((fault) => cellsOf(call, fault)));
}

function cellsOf(call: CloudCall, fault: FaultName): Cell[] {
  const { kind } = faults[fault];
  // What befalls a resource befalls it once: later calls ask for it.
  const isOfResource = resourceFaults.includes(kind);
  const possible = positions.filter((position) =>
    position === 'nth' ? call.often : position === 'first' || !isOfResource,
  );
  const name = `${titleOf(call)
    .replaceAll(/[^\w-]+/g, '-')
    .replace(/-$/, '')}/${fault}`;
  const { target, from } = journeyOf(call.journey);
  return possible.map((position) => ({
    name: `${name}/${position}`,
    affinity: from === 'fresh' ? 'fresh' : target,
    call,
    fault,
    position,
  }));
}

const resourceFaults: readonly string[] = [
  'notFoundAfterCreate',
  'stuck',
  'backwards',
  'completedWithoutArtifact',
  'jobFailed',
  'deploymentFailed',
];

function faultsOf({ operation, from }: CloudCall): FaultName[] {
  const [named] = operationsOf(operation);
  if (!named) throw new Error(`There is no operation ${operation}`);
  return (Object.keys(faults) as FaultName[]).filter(
    (fault) => allows(faults[fault].kind, named.service, named.operation) && !(from && fault === 'staleList'),
  );
}

/** What a create meets when nobody can tell whether it was carried out, under other readings of AWS. */
export function ambiguousCreates(readings: string): Cell[] {
  const ambiguous: readonly FaultName[] = ['timeoutAfterCommit', 'malformedBody', 'timeoutBefore', 'slow'];
  // A new account has no throughput to be bought.
  const creates = createOperations.filter(
    (operation) => readings !== 'new-account' || operation !== 'CreateProvisionedModelThroughput',
  );
  return allCells()
    .filter(({ call, fault }) => creates.some((name) => name === call.operation) && ambiguous.includes(fault))
    .map((cell) => ({ ...cell, name: `${readings}/${cell.name}` }));
}

/** About thirty cells: lost replies of creates, every kind of fault, every position; no champion by the hour. */
export function shortCells(random: () => number): Cell[] {
  const cells = allCells().filter(({ affinity }) => affinity !== 'bedrock-provisioned');
  const isCreate = ({ call }: Cell) => call.operation.startsWith('Create');
  const creates = cells.filter(
    (cell) => isCreate(cell) && cell.fault === 'timeoutAfterCommit' && cell.position === 'first',
  );
  const chosen = new Set(creates);
  for (const fault of Object.keys(faults) as FaultName[]) {
    const left = cells.filter((cell) => cell.fault === fault && !chosen.has(cell));
    for (const cell of sample(left, 1, random)) chosen.add(cell);
  }
  for (const position of positions) {
    const left = cells.filter((cell) => cell.position === position && !chosen.has(cell));
    for (const cell of sample(left, 2, random)) chosen.add(cell);
  }
  return [...chosen];
}
