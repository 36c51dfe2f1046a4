import type { Call } from '../call.js';
import type { State } from '../state.js';
import type { World } from '../world.js';
import { updateOperations } from './operations.js';
import type { Fault, FaultKind, FaultOf } from './script.js';

const fateKinds = [
  'notFoundAfterCreate',
  'stuck',
  'backwards',
  'completedWithoutArtifact',
  'jobFailed',
  'interrupted',
  'deploymentFailed',
] as const;

export type FateFault = FaultOf<(typeof fateKinds)[number]>;

/** Whether a fault befalls the resource that a call makes or changes, not the call itself. */
export function isFate(fault: Fault): fault is FateFault {
  return (fateKinds as readonly FaultKind[]).includes(fault.kind);
}

/** What is going to happen to one resource, whoever asks for it and however often. */
export interface Fate {
  readonly arn: string;
  readonly fault: FateFault;
  /** Position of the rule that decided it. */
  readonly rule: number;
  readonly operation: string;
  /** Sandbox time of the call. */
  readonly at: number;
  /** For a deployment that fails: when; and the model it was to take over, or null for a creation. */
  readonly failsAt: number | null;
  readonly targetModelArn: string | null;
  /** Reads that were answered falsely. */
  falseReads: number;
  /** Whether somebody has seen it get on. */
  hasAdvanced: boolean;
}

/** Far enough that no clock of a sandbox gets there, near enough for a date. */
const never = Date.UTC(9000, 0);
const centuryMs = 100 * 365 * 24 * 3_600_000;

/** Decides a resource's fate right after the call that it began with. */
export function decideFate(world: World, call: Call, fault: FateFault, rule: number, arn: string): Fate {
  const { state } = world;
  const served = state.deployments.get(arn) ?? state.throughputs.get(arn);
  const isUpdate = (updateOperations as readonly string[]).includes(call.operation);
  const fate: Fate = {
    arn,
    fault,
    rule,
    operation: call.operation,
    at: world.now(),
    failsAt: served ? ((isUpdate ? served.change?.doneAt : served.readyAt) ?? null) : null,
    targetModelArn: isUpdate ? (served?.change?.modelArn ?? null) : null,
    falseReads: 0,
    hasAdvanced: false,
  };
  recordJobFate(world, fate);
  recordTrainingJobFate(world, fate);
  applyFate(state, fate);
  return fate;
}

/** The same for a job on SageMaker. */
function recordTrainingJobFate(world: World, { arn, fault, operation, at }: Fate): void {
  if (operation !== 'CreateTrainingJob') return;
  if (fault.kind === 'jobFailed') {
    const afterMs = fault.stage === 'validation' ? 0 : fault.afterMinutes * 60_000;
    world.record({
      type: 'trainingJob.doomed',
      at,
      arn,
      doom: { failureReason: fault.failureMessage, afterMs },
    });
  }
  if (fault.kind === 'interrupted') {
    const interruption = { afterMs: fault.afterMinutes * 60_000, forMs: fault.forMinutes * 60_000 };
    world.record({ type: 'trainingJob.interrupted', at, arn, interruption });
  }
}

/** What becomes of a job is an event like any other: bill, ledger and clock follow from it. */
function recordJobFate(world: World, { arn, fault, operation, at }: Fate): void {
  if (operation !== 'CreateModelCustomizationJob') return;
  if (fault.kind !== 'jobFailed' && fault.kind !== 'stuck') return;
  if (fault.kind === 'jobFailed' && fault.stage === 'training') {
    const doom = { failureMessage: fault.failureMessage, afterMs: fault.afterMinutes * 60_000 };
    world.record({ type: 'job.doomed', at, arn, doom });
    return;
  }
  const ends = fault.kind === 'jobFailed';
  world.record({
    type: 'job.checked',
    at,
    arn,
    checked: {
      at,
      failure: ends ? fault.failureMessage : null,
      records: 0,
      tokensPerEpoch: 0,
      validationMs: ends ? fault.afterMinutes * 60_000 : centuryMs,
      dataProcessingMs: 0,
      trainingMs: 0,
    },
  });
}

/** Lays a fate's lasting part on the state: the same after the call and after a restart. */
export function applyFate(state: State, fate: Fate): void {
  const { arn, fault, operation, targetModelArn } = fate;
  const job = state.jobs.get(arn) as Changeable<typeof state.jobs> | undefined;
  const deployment = state.deployments.get(arn) as Changeable<typeof state.deployments> | undefined;
  const served = deployment ?? (state.throughputs.get(arn) as Changeable<typeof state.throughputs>);
  const trainingJob = state.trainingJobs.get(arn);
  if (fault.kind === 'stuck') {
    if (operation === 'CreateTrainingJob' && trainingJob) trainingJob.plan.startingMs = centuryMs;
    if (operation === 'StopTrainingJob' && trainingJob) trainingJob.plan.stopMs = centuryMs;
    if (operation === 'StopModelCustomizationJob' && job) job.stopMs = centuryMs;
    if (operation === 'DeleteCustomModelDeployment' && deployment) deployment.goneAt = never;
    if (operation.startsWith('Create') && served) served.readyAt = never;
    if (operation.startsWith('Update') && served?.change) served.change = { ...served.change, doneAt: never };
  }
  if (fault.kind === 'deploymentFailed' && targetModelArn && served?.change) {
    served.change = { ...served.change, modelArn: served.modelArn };
  }
  if (fault.kind === 'completedWithoutArtifact' && fault.missing !== 'arn' && job) {
    // A job makes its model only where there is none; this one is gone before it is there.
    const { modelArn, modelName, baseModel, modelTags, createdAt } = job;
    state.models.set(modelArn, {
      arn: modelArn,
      name: modelName,
      jobArn: arn,
      baseModel,
      digest: '',
      tags: modelTags,
      createdAt,
      deletedAt: createdAt,
    });
  }
}

/** A record of a map of the state, with what is otherwise written once open to change. */
type Changeable<Records> =
  Records extends Map<string, infer Record> ? { -readonly [Key in keyof Record]: Record[Key] } : never;
