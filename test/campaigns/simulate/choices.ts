import type { OnRunning, RunSpec } from '../../../src/domain/run-spec.js';
import { allows, operationsOf } from '../../../src/sandbox/faults/operations.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import { readingSets } from '../../../src/sandbox/readings.js';
import { randomFrom } from '../support/random.js';

type Rule = FaultScript['faults'][number];
type Fault = Rule['fault'];

/** What a person does to the lifecycle, once its history has so many events. */
export interface Interference {
  readonly kind: 'none' | 'cancel' | 'terminate' | 'reset' | 'second-start';
  readonly atEvents: number;
  /** Where in the history so far a reset goes back to, from 0 to 1. */
  readonly resetTo: number;
  readonly onRunning: OnRunning;
}

/** One lifecycle with everything that happens to it. It follows from the seed alone. */
export interface Scenario {
  readonly seed: number;
  readonly readings: string;
  readonly target: 'bedrock-on-demand' | 'bedrock-provisioned';
  /** Whether the model has a champion already. */
  readonly isSecond: boolean;
  readonly policy: 'reachable' | 'unreachable';
  readonly approval: NonNullable<RunSpec['approval']>;
  /** What a person says to a question; `nothing` lets its deadline pass. */
  readonly answer: 'approved' | 'rejected' | 'nothing';
  readonly deadlines: NonNullable<RunSpec['deadlines']>;
  readonly person: Interference;
  readonly faults: readonly Rule[];
  /** Milliseconds from the start until all faults are lifted. */
  readonly faultsMs: number;
}

/** Patterns of calls, with those that matter most several times. */
const patterns = [
  ...['*', 'Bedrock:*', 'Bedrock:*', 'S3:*', 'Bedrock-Runtime:*'],
  ...['CreateModelCustomizationJob', 'CreateCustomModelDeployment', 'CreateProvisionedModelThroughput'],
  ...['GetModelCustomizationJob', 'GetCustomModelDeployment', 'GetProvisionedModelThroughput'],
  ...['StopModelCustomizationJob', 'DeleteCustomModel', 'DeleteCustomModelDeployment'],
  ...['DeleteProvisionedModelThroughput', 'UpdateProvisionedModelThroughput', 'ListTagsForResource'],
  ...['Converse', 'S3:PutObject', 'S3:GetObject'],
] as const;

type Random = () => number;
const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;
const between = (random: Random, least: number, most: number): number =>
  least + Math.floor(random() * (most - least + 1));

export const commonReadings = ['usual', 'everything-else-way', 'slow-reads'] as const;

/** Half of all lifecycles under the usual readings, a quarter with all others at once, the rest evenly. */
export function readingsOf(seed: number): string {
  const random = randomFrom(seed * 2 + 1);
  const draw = random();
  if (draw < 0.5) return 'usual';
  if (draw < 0.75) return 'everything-else-way';
  return pick(random, readingSets).name;
}

export function scenarioOf(seed: number): Scenario {
  const random = randomFrom(seed * 2);
  const readings = readingsOf(seed);
  const target = random() < 0.6 ? 'bedrock-on-demand' : 'bedrock-provisioned';
  return {
    seed,
    readings,
    target,
    // Under these readings no throughput is to be had, so that there is no champion on one.
    isSecond: random() < 0.5 && !(readings === 'new-account' && target === 'bedrock-provisioned'),
    policy: random() < 0.75 ? 'reachable' : 'unreachable',
    approval: pick(random, ['none', 'none', 'none', 'before-training', 'before-promotion']),
    answer: pick(random, ['approved', 'approved', 'approved', 'rejected', 'nothing']),
    // Seconds, since these deadlines are of real time.
    deadlines: {
      purchaseHours: between(random, 15, 60) / 3600,
      trainingHours: between(random, 15, 60) / 3600,
      deploymentMinutes: between(random, 15, 60) / 60,
      validationMinutes: between(random, 15, 60) / 60,
      approvalHours: between(random, 5, 15) / 3600,
    },
    person: {
      kind: pick(random, ['none', 'none', 'none', 'cancel', 'cancel', 'terminate', 'reset', 'second-start']),
      atEvents: between(random, 3, 90),
      resetTo: random(),
      onRunning: pick(random, ['refuse', 'wait', 'join']),
    },
    faults: Array.from({ length: between(random, 0, 4) }, () => ruleFrom(random)),
    faultsMs: between(random, 2, 15) * 1000,
  };
}

function ruleFrom(random: Random): Rule {
  for (;;) {
    const operation = pick(random, patterns);
    const isPattern = operation.endsWith('*');
    const fault = faultFrom(random);
    const named = operationsOf(operation);
    const isPossible = named.some((each) => allows(fault.kind, each.service, each.operation));
    // Everything else that is stuck may be so for ever under some readings.
    const never = fault.kind === 'stuck' && operation !== 'CreateModelCustomizationJob';
    if (!isPossible || never) continue;
    const probability = isPattern ? 0.02 + random() * 0.15 : 0.1 + random() * 0.8;
    return { operation, nth: { probability, seed: between(random, 0, 1e6) }, fault };
  }
}

function faultFrom(random: Random): Fault {
  return pick<() => Fault>(random, [
    () => ({ kind: 'throttle' }),
    () => ({ kind: 'error', status: pick(random, [500, 503]) }),
    () => ({ kind: 'accessDenied' }),
    () => ({ kind: 'expiredToken' }),
    () => ({ kind: 'conflict' }),
    () => ({ kind: 'capacity' }),
    () => ({ kind: 'reset' }),
    () => ({ kind: 'slow', delayMs: between(random, 50, 2000) }),
    () => ({ kind: 'timeoutBefore', holdMs: between(random, 50, 2000) }),
    () => ({ kind: 'timeoutAfterCommit', holdMs: between(random, 0, 1000) }),
    () => ({ kind: 'timeoutAfterCommit', holdMs: 0 }),
    () => ({ kind: 'malformedBody', body: pick(random, ['truncated', 'notJson']) }),
    () => ({ kind: 'staleList', mutations: between(random, 1, 3) }),
    () => ({ kind: 'notFoundAfterCreate', reads: between(random, 1, 4) }),
    () => ({ kind: 'stuck' }),
    () => ({ kind: 'backwards' }),
    () => ({ kind: 'completedWithoutArtifact', missing: pick(random, ['arn', 'model', 'both']) }),
    () => ({ kind: 'jobFailed', stage: pick(random, ['validation', 'training']), afterMinutes: 5 }),
    () => ({ kind: 'deploymentFailed' }),
  ])();
}

/** The scenario in a few lines, for a person who looks into it. */
export function describeScenario(scenario: Scenario): string[] {
  const { seed, readings, target, isSecond, policy, approval, answer, person, faults, faultsMs } = scenario;
  const asked = approval === 'none' ? 'nobody is asked' : `${approval}: ${answer}`;
  const does = person.kind === 'none' ? 'nobody interferes' : `${person.kind} at event ${person.atEvents}`;
  const how = { reset: ` to ${person.resetTo.toFixed(2)}`, 'second-start': ` (${person.onRunning})` }[
    person.kind as string
  ];
  return [
    `seed ${seed}: ${target}, ${isSecond ? 'second' : 'first'} version, policy ${policy}, readings ${readings}`,
    `  ${asked}; ${does}${how ?? ''}; faults until ${faultsMs} ms; ${JSON.stringify(scenario.deadlines)}`,
    ...faults.map((rule) => `  ${JSON.stringify(rule)}`),
  ];
}
