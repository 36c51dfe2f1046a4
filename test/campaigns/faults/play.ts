import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../../src/domain/run-state.js';
import type { SandboxFaults } from '../../../src/sandbox/admin.js';
import { statusQuery } from '../../../src/workflows/messages.js';
import type { Ending } from '../../support/service.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { type Cell, faults, ruleOf } from './cells.js';
import { type Class, classOf, type Expectation } from './classes.js';
import { type Deadlines, generous, type Journey, journeyOf, startJourney, wordOf } from './journeys.js';

/** How a cell went. */
export interface Played {
  readonly model: string;
  readonly ending: Ending | null;
  readonly class: Class | null;
  /** How often the fault happened. */
  readonly fired: number;
  readonly seen: string | null;
  readonly stragglers: readonly string[];
  readonly championBefore: number | null;
  readonly championAfter: number | null;
}

const longestMs = 240_000;
/** Deadlines for runs that are to run into them, each in its stage; every other stage has time enough. */
const short = {
  purchaseHours: 15 / 3600,
  trainingHours: 15 / 3600,
  deploymentMinutes: 15 / 60,
  validationMinutes: 15 / 60,
};

function deadlinesFor({ call, fault }: Cell): Deadlines {
  const { purchaseHours, trainingHours, deploymentMinutes, validationMinutes } = short;
  const isJob = call.operation.includes('Job') || fault.startsWith('jobFailed');
  switch (isJob ? 'TrainingFailed' : (call.endsAs ?? 'DeploymentFailed')) {
    case 'TrainingFailed':
      return { ...generous, purchaseHours, trainingHours };
    case 'ValidationFailed':
      return { ...generous, validationMinutes };
    default:
      return { ...generous, purchaseHours, deploymentMinutes };
  }
}

/** Plays one cell on a model until nothing of it runs any more. */
export async function playCell(
  lane: Lane,
  model: string,
  cell: Cell,
  expectation: Expectation,
  signal: AbortSignal,
): Promise<Played> {
  const journey = journeyOf(cell.call.journey);
  const championBefore = await championOf(lane, model);
  await lane.setFaults({ faults: [...(journey.companions ?? []), ruleOf(cell)] });
  const handle = await startJourney(
    lane,
    model,
    journey,
    expectation.byDeadline ? deadlinesFor(cell) : undefined,
  );
  const watched = await watch(lane, model, handle, cell, expectation, signal);
  const ending = watched.isClosed ? await lane.endOf(handle) : null;
  if (ending === null) await abandon(lane, model, handle.workflowId);
  const fired = watched.fired ?? (await firedOf(lane, journey));
  await lane.setFaults(null);
  const stragglers = ending === null ? [] : await lane.settle(model);
  return {
    model,
    ending,
    class: classOf({
      word: ending && wordOf(ending),
      failed: ending?.closed === 'failed',
      undisturbed: journey.ends,
      seen: watched.seen,
      lostReplyOfCreate: fired > 0 && losesReplyOfCreate(cell),
    }),
    fired,
    seen: watched.seen,
    stragglers,
    championBefore,
    championAfter: await championOf(lane, model),
  };
}

function losesReplyOfCreate({ call, fault }: Cell): boolean {
  return (
    call.operation.startsWith('Create') && /^(timeoutAfterCommit|malformedBody)$/.test(faults[fault].kind)
  );
}

interface Watched {
  readonly isClosed: boolean;
  /** What could be seen of the fault before it was lifted, or of what cannot be lifted; else null. */
  readonly seen: string | null;
  /** How often the fault had happened when it was lifted; null when it was not lifted. */
  readonly fired: number | null;
}

/** Follows a run to its end; cancels it, and lifts the fault, where that is due. */
async function watch(
  lane: Lane,
  model: string,
  handle: WorkflowHandle,
  { call }: Cell,
  { lift, class: expected }: Expectation,
  signal: AbortSignal,
): Promise<Watched> {
  const journey = journeyOf(call.journey);
  const deadline = Date.now() + longestMs;
  if (journey.ends === 'cancelled') {
    await lane.awaitStatus(handle, ({ job }) => job?.status === 'running');
    await handle.cancel();
  }
  if (lift === 'never' && expected !== 'blocked') {
    return { isClosed: await closes(handle, deadline - Date.now()), seen: null, fired: null };
  }
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    if ((await handle.describe()).status.name !== 'RUNNING')
      return { isClosed: true, seen: null, fired: null };
    const fired = await firedOf(lane, journey);
    const seen = fired === 0 ? null : await seenOf(lane, model, handle, lift, expected === 'blocked');
    if (seen !== null && expected === 'blocked') return { isClosed: false, seen, fired };
    if (seen !== null) {
      await lane.setFaults(null);
      return { isClosed: await closes(handle, deadline - Date.now()), seen, fired };
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return { isClosed: false, seen: null, fired: null };
}

async function closes(handle: WorkflowHandle, patienceMs: number): Promise<boolean> {
  const timer = new AbortController();
  const tooLong = sleep(patienceMs, false, { signal: timer.signal, ref: false }).catch(() => false);
  const ended = handle.result().then(
    () => true,
    () => true,
  );
  const isClosed = await Promise.race([ended, tooLong]);
  timer.abort();
  return isClosed;
}

/** Null while it is too early to lift the fault. */
async function seenOf(
  lane: Lane,
  model: string,
  handle: WorkflowHandle,
  lift: Expectation['lift'],
  isEndless: boolean,
): Promise<string | null> {
  const run = await handle.query<RunStatus>(statusQuery.name).catch(() => null);
  if (run === null) return null;
  if (lift !== 'when-failed') return troubleOf(lane, model, run, isEndless);
  const failed = run.stages.find(({ status }) => status === 'failed');
  if (failed) return `${failed.name}: ${failed.note}`;
  // A swap whose deadline has passed is taken back within its stage, however long that takes.
  const { raw } = await handle.describe();
  const isPutBack = raw.pendingActivities?.find(
    ({ activityType, lastFailure }) => activityType?.name === 'pointDeployment' && lastFailure,
  );
  return isPutBack?.lastFailure?.message ?? null;
}

/** Failures of an attempt that only say that it is to be looked again. */
const ordinary = ['StillWaiting', 'LeaseClosing'];
const stillThere = 'StillThere';
/** What is tried for as long as it takes. */
const neverDone = ['removeResource', 'pointDeployment'];

/** What a person can see of a fault: in the run's status, or among the pending activities of run and leases. */
async function troubleOf(
  lane: Lane,
  model: string,
  run: RunStatus,
  isEndless: boolean,
): Promise<string | null> {
  if (!isEndless && run.waitingFor) return run.waitingFor;
  const query = `TaskQueue = "${lane.taskQueue}" AND ExecutionStatus = "Running"`;
  for await (const { workflowId } of lane.client.workflow.list({ query })) {
    if (!workflowId.includes(`/${model}`)) continue;
    const { raw } = await lane.client.workflow.getHandle(workflowId).describe();
    for (const { lastFailure, attempt, activityType } of raw.pendingActivities ?? []) {
      const type = lastFailure?.applicationFailureInfo?.type ?? '';
      const isNeverDone = neverDone.some((name) => name === activityType?.name);
      const isTrouble = isEndless
        ? isNeverDone && (attempt ?? 0) > 4
        : !ordinary.includes(type) && type !== stillThere;
      if (lastFailure?.message && isTrouble) return `${type}: ${lastFailure.message}`;
    }
  }
  return null;
}

/** The cell's rule stands behind those of its journey. */
async function firedOf(lane: Lane, { companions = [] }: Journey): Promise<number> {
  const response = await fetch(`${lane.endpoint}/_anneal/faults`);
  const { faults: rules } = (await response.json()) as SandboxFaults;
  return rules[companions.length]?.fired ?? 0;
}

async function championOf(lane: Lane, model: string): Promise<number | null> {
  return (await lane.dependencies.registry.champion(model))?.version ?? null;
}

/** Ends everything of a model that cannot end by itself. */
async function abandon(lane: Lane, model: string, workflowId: string): Promise<void> {
  await terminateIfRunning(lane, workflowId);
  const query = `TaskQueue = "${lane.taskQueue}" AND ExecutionStatus = "Running"`;
  for await (const running of lane.client.workflow.list({ query })) {
    if (running.workflowId.includes(`/${model}`)) await terminateIfRunning(lane, running.workflowId);
  }
}
