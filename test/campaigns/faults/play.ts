import type { WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../../src/domain/run-state.js';
import type { SandboxFaults } from '../../../src/sandbox/admin.js';
import { statusQuery } from '../../../src/workflows/messages.js';
import type { Ending } from '../../support/service.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { type Cell, faults, ruleOf } from './cells.js';
import { type Class, classOf, type Expectation } from './classes.js';
import { type Deadlines, journeyOf, startJourney, wordOf } from './journeys.js';

/** How a cell went. */
export interface Played {
  readonly model: string;
  readonly runId: string;
  readonly ending: Ending | null;
  readonly class: Class | null;
  /** How often the fault happened. */
  readonly fired: number;
  readonly seen: string | null;
  readonly stragglers: readonly string[];
  readonly championBefore: number | null;
  readonly championAfter: number | null;
}

const longestMs = 120_000;
/** Deadlines for runs that are to run into them. */
const short: Deadlines = {
  purchaseHours: 12 / 3600,
  trainingHours: 12 / 3600,
  deploymentMinutes: 12 / 60,
  validationMinutes: 12 / 60,
};

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
  const handle = await startJourney(lane, model, journey, expectation.byDeadline ? short : undefined);
  const runId = (handle as { firstExecutionRunId?: string }).firstExecutionRunId ?? '';
  const watched = await watch(lane, model, handle, cell, expectation, signal);
  const ending = watched.isClosed ? await lane.endOf(handle) : null;
  if (ending === null) await abandon(lane, model, handle.workflowId);
  const fired = await firedOf(lane, journey.companions?.length ?? 0);
  await lane.setFaults(null);
  const stragglers = ending === null ? [] : await lane.settle(model);
  return {
    model,
    runId,
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

/** Follows a run to its end; cancels it, and lifts the fault, where that is due. */
async function watch(
  lane: Lane,
  model: string,
  handle: WorkflowHandle,
  cell: Cell,
  { lift, class: expected }: Expectation,
  signal: AbortSignal,
): Promise<{ isClosed: boolean; seen: string | null }> {
  const journey = journeyOf(cell.call.journey);
  const deadline = Date.now() + longestMs;
  let seen: string | null = null;
  let isLifted = false;
  let isCancelled = false;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const { raw, status } = await handle.describe();
    if (status.name !== 'RUNNING') return { isClosed: true, seen };
    const run = raw.workflowExecutionInfo ? await handle.query<RunStatus>(statusQuery.name) : null;
    if (journey.ends === 'cancelled' && !isCancelled && run?.job?.status === 'running') {
      isCancelled = true;
      await handle.cancel();
    }
    const hasFailed = run?.stages.some((stage) => stage.status === 'failed') ?? false;
    const trouble = run && (await troubleOf(lane, model, run, expected === 'blocked'));
    if (trouble && expected === 'blocked') return { isClosed: false, seen: trouble };
    const isDue = (lift === 'when-seen' && trouble !== null) || (lift === 'when-failed' && hasFailed);
    if (isDue && !isLifted && (await firedOf(lane, journey.companions?.length ?? 0)) > 0) {
      isLifted = true;
      seen = trouble ?? 'a stage has failed';
      await lane.setFaults(null);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { isClosed: false, seen: null };
}

/** Failures of an attempt that only say that it is to be looked again. */
const ordinary = ['StillWaiting', 'LeaseClosing'];
const stillThere = 'StillThere';

/** What a person can see of a fault: in the run's status, or among the pending activities of run and leases. */
async function troubleOf(
  lane: Lane,
  model: string,
  run: RunStatus,
  isDeletion: boolean,
): Promise<string | null> {
  if (!isDeletion && run.waitingFor) return run.waitingFor;
  const query = `TaskQueue = "${lane.taskQueue}" AND ExecutionStatus = "Running"`;
  for await (const { workflowId } of lane.client.workflow.list({ query })) {
    if (!workflowId.includes(`/${model}`)) continue;
    const { raw } = await lane.client.workflow.getHandle(workflowId).describe();
    for (const { lastFailure, attempt } of raw.pendingActivities ?? []) {
      const type = lastFailure?.applicationFailureInfo?.type ?? '';
      const isTrouble = isDeletion
        ? type === stillThere && (attempt ?? 0) > 4
        : !ordinary.includes(type) && type !== stillThere;
      if (lastFailure?.message && isTrouble) return `${type}: ${lastFailure.message}`;
    }
  }
  return null;
}

async function firedOf(lane: Lane, rule: number): Promise<number> {
  const response = await fetch(`${lane.endpoint}/_anneal/faults`);
  const { faults: rules } = (await response.json()) as SandboxFaults;
  return rules[rule]?.fired ?? 0;
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
