import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { failureTypes } from '../../../src/domain/failures.js';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import { approveUpdate, rejectUpdate, statusQuery } from '../../../src/workflows/messages.js';
import type { Ending } from '../../support/service.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import type { Scenario } from './choices.js';

/** How a scenario went. */
export interface Simulated {
  /** Of the lifecycle, and of a second one where somebody started it. */
  readonly endings: readonly (Ending | null)[];
  /** Whether the person got to do what they were to do. */
  readonly interfered: boolean;
  readonly faultsFired: number;
  readonly stragglers: readonly string[];
}

/** From the end of all faults until every lifecycle must have ended. */
const patienceMs = 150_000;
const longestSettlingMs = 120_000;

/** Plays a scenario on a model until nothing of it runs any more. */
export async function playScenario(
  lane: Lane,
  model: string,
  scenario: Scenario,
  signal: AbortSignal,
): Promise<Simulated> {
  await lane.setFaults({ faults: [...scenario.faults] });
  const first = await start(lane, model, scenario, 'first');
  const over = new AbortController();
  const isPast = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const lifted = liftLater(lane, scenario.faultsMs, stop);
  const interfering = interfere(lane, model, first, scenario, AbortSignal.any([stop, isPast.signal]));
  const answering = answer(lane, model, scenario, stop);
  try {
    const deadline = Date.now() + scenario.faultsMs + patienceMs;
    const endOf = (workflowId: string) => endBefore(lane, workflowId, deadline, signal);
    await endOf(first.workflowId);
    isPast.abort();
    const { done, second } = await interfering;
    // Once more: a reset may have come in between.
    const endings = [await endOf(first.workflowId), ...(second ? [await endOf(second)] : [])];
    over.abort();
    const faultsFired = await lifted;
    for (const workflowId of endings.includes(null) ? await runsOf(lane, model) : []) {
      await terminateIfRunning(lane, workflowId);
    }
    const stragglers = await lane.settle(model, longestSettlingMs);
    return { endings, interfered: done, faultsFired, stragglers };
  } finally {
    over.abort();
    await Promise.allSettled([lifted, interfering, answering]);
  }
}

/** What is wrong with how a lifecycle ended; null when that is one of the ways in which it may end. */
export function wrongEnding(ending: Ending | null, { person }: Scenario): string | null {
  if (ending === null) return 'a lifecycle did not end although the faults were over';
  if (ending.closed === 'completed' || ending.closed === 'cancelled') return null;
  if (ending.closed === 'terminated') {
    return person.kind === 'terminate' ? null : 'a lifecycle was terminated by nobody';
  }
  const isTyped = failureTypes.some((type) => type === ending.type);
  return isTyped ? null : `a lifecycle failed with the type "${ending.type}": ${ending.message}`;
}

function start(
  lane: Lane,
  model: string,
  scenario: Scenario,
  which: 'first' | 'second',
): Promise<WorkflowHandle> {
  const { target, policy, approval, deadlines, person } = scenario;
  const spec: RunSpec = lane.smallRun(model, {
    deployment: { target },
    validation: { samples: 6, ...(policy === 'unreachable' && { policy }) },
    approval,
    deadlines,
    ...(which === 'second' && { onRunning: person.onRunning }),
  });
  return lane.client.workflow.start('fineTune', {
    taskQueue: lane.taskQueue,
    workflowId: runId(model, scenario, which),
    args: [spec],
  });
}

function runId(model: string, { seed }: Scenario, which: string): string {
  return `simulate/${model}/${seed}/${which}`;
}

/** Lifts the faults after some time, or once nothing runs any more; returns how often they happened. */
async function liftLater(lane: Lane, afterMs: number, signal: AbortSignal): Promise<number> {
  await sleep(afterMs, undefined, { signal }).catch(() => {});
  const response = await fetch(`${lane.endpoint}/_anneal/faults`);
  const { faults } = (await response.json()) as { faults: readonly { fired: number }[] };
  await lane.setFaults(null);
  return faults.reduce((sum, { fired }) => sum + fired, 0);
}

interface Interfered {
  readonly done: boolean;
  /** The second lifecycle's workflow ID, where one was started. */
  readonly second: string | null;
}

async function interfere(
  lane: Lane,
  model: string,
  handle: WorkflowHandle,
  scenario: Scenario,
  signal: AbortSignal,
): Promise<Interfered> {
  const { person } = scenario;
  const nothing = { done: false, second: null };
  if (person.kind === 'none') return nothing;
  for (;;) {
    if (signal.aborted) return nothing;
    const { historyLength, status } = await handle.describe();
    if (status.name !== 'RUNNING') return nothing;
    if (historyLength >= person.atEvents) break;
    await sleep(100);
  }
  try {
    switch (person.kind) {
      case 'cancel':
        await handle.cancel();
        break;
      case 'terminate':
        await handle.terminate('the campaign');
        break;
      case 'reset':
        await reset(lane, handle, person.resetTo);
        break;
      case 'second-start':
        return { done: true, second: (await start(lane, model, scenario, 'second')).workflowId };
    }
    return { done: true, second: null };
  } catch (error) {
    // It has ended meanwhile.
    if (error instanceof WorkflowNotFoundError) return nothing;
    throw error;
  }
}

async function reset(lane: Lane, { workflowId }: WorkflowHandle, share: number): Promise<void> {
  const execution = { workflowId };
  const request = { namespace: 'default', execution };
  const { history } = await lane.client.workflowService.getWorkflowExecutionHistory(request);
  const tasks = (history?.events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[Math.floor(share * tasks.length)];
  if (!task) return;
  await lane.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: execution,
    workflowTaskFinishEventId: task.eventId ?? null,
    reason: 'the campaign',
    requestId: randomUUID(),
  });
}

/** Answers every question of a model's lifecycles. */
async function answer(lane: Lane, model: string, scenario: Scenario, signal: AbortSignal): Promise<void> {
  if (scenario.answer === 'nothing') return;
  const update = scenario.answer === 'approved' ? approveUpdate : rejectUpdate;
  while (!signal.aborted) {
    for (const workflowId of await runsOf(lane, model)) {
      const handle = lane.client.workflow.getHandle(workflowId);
      try {
        const { awaiting } = await handle.query(statusQuery);
        if (awaiting) await handle.executeUpdate(update.name, { args: [{ by: 'the campaign' }] });
      } catch {
        // It has ended, or somebody has answered, in between.
      }
    }
    await sleep(500, undefined, { signal }).catch(() => {});
  }
}

async function runsOf(lane: Lane, model: string): Promise<string[]> {
  const query = `TaskQueue = "${lane.taskQueue}" AND ExecutionStatus = "Running"`;
  const runs: string[] = [];
  for await (const { workflowId } of lane.client.workflow.list({ query })) {
    if (workflowId.startsWith(`simulate/${model}/`)) runs.push(workflowId);
  }
  return runs;
}

/** How the last run of a workflow ID ended, also where it was reset; null when it did not in time. */
async function endBefore(
  lane: Lane,
  workflowId: string,
  deadline: number,
  signal: AbortSignal,
): Promise<Ending | null> {
  const latest = lane.client.workflow.getHandle(workflowId);
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const { runId, status } = await latest.describe();
    if (status.name !== 'RUNNING') return lane.endOf(lane.client.workflow.getHandle(workflowId, runId));
    await sleep(400);
  }
  return null;
}
