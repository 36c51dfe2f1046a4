import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { Ending } from '../../support/service.js';
import type { Campaign } from '../support/campaign.js';
import { findingsOf } from '../support/invariants.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { checkAll, creates, orphansOf } from './checks.js';
import type { PointCase } from './points.js';
import {
  type Aftermath,
  awaitPoint,
  endWithin,
  eventsOf,
  type HistoryEvent,
  randomOf,
  type Staged,
} from './stage.js';

/** Resets the run while its worker stands still; the run from there on must take over what exists. */
export async function afterReset(campaign: Campaign, played: PointCase, staged: Staged): Promise<Aftermath> {
  const { lane } = staged;
  const tasks = (await eventsOf(staged.handle)).filter(isTask);
  const again = await reset(campaign, played, staged, tasks);
  lane.workers?.continue();
  const [ending] = await Promise.all([
    endWithin(lane, again),
    played.point.name === 'approval-wait' ? approve(lane, again) : null,
  ]);
  return lookAround(campaign, played, staged, { ending, wrong: wrongEndOfReset(ending), stops: 0 });
}

/**
 * Cancels the run, and resets it once it has given something back, to before it bought that: it must not buy it
 * again, although the cloud would sell it.
 */
export async function afterCancelAndReset(
  campaign: Campaign,
  played: PointCase,
  staged: Staged,
): Promise<Aftermath> {
  const { lane, handle } = staged;
  await handle.cancel();
  lane.workers?.continue();
  await awaitPoint(staged, { event: 'ActivityTaskCompleted:releaseLease', nth: 1 }, campaign.signal);
  const events = await eventsOf(handle);
  const create = events.findLastIndex((event) =>
    ['submitTrainingJob', 'createDeployment'].includes(
      event.activityTaskScheduledEventAttributes?.activityType?.name ?? '',
    ),
  );
  const again = await reset(campaign, played, staged, events.slice(0, create).filter(isTask));
  const ending = await endWithin(lane, again);
  const stops = played.point.name === 'training-wait' ? 1 : 0;
  return lookAround(campaign, played, staged, { ending, wrong: wrongEndAfterGiveBack(ending), stops });
}

function isTask(event: HistoryEvent): boolean {
  return Boolean(event.workflowTaskCompletedEventAttributes);
}

/** Resets the run to one of some tasks, which the seed decides. */
async function reset(
  campaign: Campaign,
  played: PointCase,
  { lane, handle, runId: formerRunId }: Staged,
  tasks: readonly HistoryEvent[],
): Promise<WorkflowHandle> {
  const task = tasks[Math.floor(randomOf(campaign, played)() * tasks.length)];
  const { runId } = await lane.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId, runId: formerRunId },
    workflowTaskFinishEventId: task?.eventId ?? null,
    reason: 'the campaign',
    requestId: randomUUID(),
  });
  campaign.print(`  ${played.name}: reset to event ${task?.eventId}, one of ${tasks.length} tasks`);
  return lane.client.workflow.getHandle(handle.workflowId, runId);
}

interface EndOfReset {
  readonly ending: Ending | null;
  readonly wrong: string | null;
  /** How often the job may have been stopped. */
  readonly stops: number;
}

/** One job for the run and its reset, and nothing left of either. */
async function lookAround(
  campaign: Campaign,
  { scenario, action }: PointCase,
  staged: Staged,
  { ending, wrong, stops: allowedStops }: EndOfReset,
): Promise<Aftermath> {
  const { lane, model, handle, key } = staged;
  if (!ending) await terminateIfRunning(lane, handle.workflowId);
  const stragglers = await lane.settle(model);
  const ledger = await lane.ledger();
  const jobs = creates(ledger, staged).filter(({ kind }) => kind === 'trainingJob').length;
  const stops = ledger.filter(
    ({ action, name, note }) => action === 'stop' && note === 'asked to stop' && name.startsWith(key),
  ).length;
  const row = `${scenario} ${action}`;
  campaign.tally.add(row, 'jobs', jobs);
  campaign.tally.add(row, 'jobs stopped', stops);
  const orphans = await orphansOf(staged);
  const findings = [
    ...(await checkAll(staged)),
    ...findingsOf('I1', [
      ...(jobs === 1 ? [] : [`the run and its reset bought ${jobs} training jobs`]),
      ...(stops <= allowedStops ? [] : [`the job was stopped ${stops} times`]),
    ]),
    ...findingsOf('I5', [...(wrong === null ? [] : [wrong]), ...stragglers.map((id) => `${id} did not end`)]),
    ...findingsOf(
      'I2',
      orphans.map(({ kind, name }) => `${kind} ${name} lives for nobody`),
    ),
  ];
  return { findings, orphans: orphans.length };
}

function wrongEndOfReset(ending: Ending | null): string | null {
  if (ending?.closed === 'completed' && ending.result.outcome === 'promoted') return null;
  return `the reset run should have been promoted and ${endOf(ending)}`;
}

function wrongEndAfterGiveBack(ending: Ending | null): string | null {
  const isRefused =
    ending?.closed === 'failed' && ending.type === 'Conflict' && ending.message.includes('was given back at');
  return isRefused ? null : `the reset run should have refused to buy again and ${endOf(ending)}`;
}

function endOf(ending: Ending | null): string {
  if (ending === null) return 'did not end';
  const found = ending.closed === 'completed' ? ending.result.outcome : `${ending.type}: ${ending.message}`;
  return `ended ${ending.closed}: ${found}`;
}

async function approve(lane: Lane, handle: WorkflowHandle): Promise<void> {
  await lane.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
  await handle.executeUpdate('approve', { args: [{ by: 'the campaign' }] });
}
