import { createHash, randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { LedgerEntry } from '../../../src/sandbox/admin.js';
import type { Ending } from '../../support/service.js';
import type { Campaign } from '../support/campaign.js';
import { type Finding, findingsOf } from '../support/invariants.js';
import { randomFrom } from '../support/random.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { awaitNoOrphans, checkAll, leaseTimes, orphansOf, wrongEnd, wrongTimes } from './checks.js';
import type { PointCase } from './points.js';
import {
  awaitPoint,
  type Champions,
  endWithin,
  eventsOf,
  type Staged,
  stageRun,
  stopAt,
  watchSeconds,
} from './stage.js';
import { afterTerminateAll } from './sweep.js';

/** A release takes about as long. */
const longestPauseMs = 250;

/** What a person did, and what was seen right after. */
export interface Aftermath {
  readonly findings: readonly Finding[];
  readonly orphans: number;
}

/** Brings a run to a point, does there what the case says, and looks at what is left in the end. */
export async function playPoint(
  campaign: Campaign,
  champions: Champions,
  played: PointCase,
  lane: Lane,
): Promise<void> {
  const { scenario, point, action } = played;
  const { model, spec } = await champions.prepare(lane, scenario);
  const isAsked = point.name === 'approval-wait';
  const staged = await stageRun(lane, model, isAsked ? { ...spec, approval: 'before-promotion' } : spec);
  const row = `${scenario} ${action}`;
  campaign.tally.add(row, 'runs');
  let aftermath: Aftermath;
  try {
    if (!(await stopAt(staged, point, campaign.signal))) {
      campaign.tally.add(row, 'not reached');
      campaign.print(`  not reached: ${played.name}`);
    }
    aftermath =
      action === 'reset'
        ? await afterReset(campaign, played, staged)
        : action === 'terminate-all'
          ? await afterTerminateAll(campaign, row, staged)
          : action === 'cancel-terminate'
            ? await afterCancelAndTerminate(campaign, played, staged)
            : await afterEnd(campaign, row, staged, action);
  } finally {
    lane.workers?.continue();
  }
  report(campaign, champions, played, { ...aftermath, lane, row });
}

/** Counts what was found; a model that something is wrong with is not used again. */
export function report(
  campaign: Campaign,
  champions: Champions,
  played: { readonly name: string; readonly scenario: PointCase['scenario'] },
  { findings, orphans, lane, row }: Aftermath & { readonly lane: Lane; readonly row: string },
): void {
  campaign.tally.add(row, 'orphans', orphans);
  campaign.record(findings, played);
  const violations = findings.filter(({ violation }) => violation !== null);
  if (violations.length > 0) champions.discard(lane, played.scenario);
}

/**
 * Cancels or terminates the run while its worker stands still, and waits until nothing of it is left. How long
 * leases took says nothing where the worker that watched for them was stopped, too. What a create under way may still
 * bring is waited for: `landsMs`.
 */
export async function afterEnd(
  campaign: Campaign,
  row: string,
  staged: Staged,
  action: 'cancel' | 'terminate' | 'cancel-terminate',
  { isWatched = true, landsMs = 0 } = {},
): Promise<Aftermath> {
  const { lane, model, handle } = staged;
  const before = creates(await lane.ledger(), staged).length;
  // What the server gives to a process that is stopped is given away again late, and later each time.
  const patienceMs = isWatched ? 60_000 : 240_000;
  if (action === 'cancel') await handle.cancel();
  else if (action === 'terminate') await handle.terminate('the campaign');
  else await terminateIfRunning(lane, handle.workflowId);
  const sinceMs = Date.now();
  lane.workers?.continue();
  const ending = await endWithin(lane, handle);
  const wrong = await wrongEnd(staged, action, ending);
  if (!ending) await terminateIfRunning(lane, handle.workflowId);
  const left = action === 'cancel' ? await orphansOf(staged) : [];
  await new Promise((resolve) => setTimeout(resolve, landsMs));
  const { ms, left: orphans } = await awaitNoOrphans(staged, sinceMs, patienceMs);
  const stragglers = await lane.settle(model, patienceMs);
  const again = await orphansOf(staged);
  const times = action === 'terminate' && isWatched ? await leaseTimes(staged, sinceMs) : [];
  const isLate = creates(await lane.ledger(), staged).length > before;
  for (const { noticedMs } of times) {
    campaign.tally.add(row, 'leases that cleaned up');
    campaign.tally.add(row, 'of them within one period', noticedMs <= watchSeconds * 1000 ? 1 : 0);
  }
  const findings = [
    ...(await checkAll(staged)),
    ...findingsOf('I5', [...(wrong ? [wrong] : []), ...stragglers.map((id) => `${id} did not end`)]),
    ...findingsOf('I2', [
      ...left.map(({ name }) => `${name} was alive when the run had closed as cancelled`),
      ...[...orphans, ...again].map(({ kind, name }) => `${kind} ${name} lives for nobody`),
      ...(action === 'terminate' && isWatched ? wrongTimes(times, ms, isLate) : []),
    ]),
  ];
  return { findings, orphans: again.length };
}

/**
 * Cancels the run, and terminates it while it gives back what it has bought: in the middle of one of the two
 * releases, or right after it. A run that was quicker has ended as cancelled.
 */
async function afterCancelAndTerminate(
  campaign: Campaign,
  played: PointCase,
  staged: Staged,
): Promise<Aftermath> {
  const random = randomFrom(seedOf(campaign.options.seed, played.name));
  const release = { event: 'ActivityTaskScheduled:releaseLease', nth: random() < 0.3 ? 1 : 2 };
  await staged.handle.cancel();
  staged.lane.workers?.continue();
  await awaitPoint(staged, release, campaign.signal);
  await new Promise((resolve) => setTimeout(resolve, random() * longestPauseMs));
  const row = `${played.scenario} ${played.action}`;
  return afterEnd(campaign, row, staged, 'cancel-terminate', { isWatched: false });
}

/** Resets the run while its worker stands still; the run from there on must take over what exists. */
async function afterReset(campaign: Campaign, played: PointCase, staged: Staged): Promise<Aftermath> {
  const { lane, model, handle } = staged;
  const row = `${played.scenario} reset`;
  const random = randomFrom(seedOf(campaign.options.seed, played.name));
  const events = await eventsOf(handle);
  const tasks = events.filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[Math.floor(random() * tasks.length)];
  const { runId } = await lane.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId, runId: staged.runId },
    workflowTaskFinishEventId: task?.eventId ?? null,
    reason: 'the campaign',
    requestId: randomUUID(),
  });
  campaign.print(`  ${played.name}: reset to event ${task?.eventId} of ${events.length}`);
  lane.workers?.continue();
  const again = lane.client.workflow.getHandle(handle.workflowId, runId);
  const [ending] = await Promise.all([
    endWithin(lane, again),
    played.point.name === 'approval-wait' ? approve(lane, again) : null,
  ]);
  if (!ending) await terminateIfRunning(lane, handle.workflowId);
  const stragglers = await lane.settle(model);
  const ledger = await lane.ledger();
  const wrong = wrongEndOfReset(ending);
  const jobs = creates(ledger, staged).filter(({ kind }) => kind === 'trainingJob').length;
  const stops = ledger.filter(
    ({ action, name, note }) => action === 'stop' && note === 'asked to stop' && name.startsWith(staged.key),
  );
  campaign.tally.add(row, 'jobs', jobs);
  campaign.tally.add(row, 'jobs stopped', stops.length);
  const orphans = await orphansOf(staged);
  const findings = [
    ...(await checkAll(staged)),
    ...findingsOf('I1', [
      ...(jobs === 1 ? [] : [`the run and its reset bought ${jobs} training jobs`]),
      ...(stops.length === 0 ? [] : [`the job was stopped ${stops.length} times`]),
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
  if (ending === null) return 'the reset run did not end';
  if (ending.closed === 'completed' && ending.result.outcome === 'promoted') return null;
  const found = ending.closed === 'completed' ? ending.result.outcome : `${ending.type}: ${ending.message}`;
  return `the reset run should have been promoted and ended ${ending.closed}: ${found}`;
}

async function approve(lane: Lane, handle: WorkflowHandle): Promise<void> {
  await lane.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
  await handle.executeUpdate('approve', { args: [{ by: 'the campaign' }] });
}

/** What a run has had created that is paid for. */
export function creates(ledger: readonly LedgerEntry[], { key }: Staged): LedgerEntry[] {
  const paid = ['trainingJob', 'deployment', 'provisionedThroughput'];
  return ledger.filter(
    ({ action, kind, name }) => action === 'create' && paid.includes(kind) && name.startsWith(key),
  );
}

/** Another number for each case, the same for each seed. */
function seedOf(seed: number, name: string): number {
  return createHash('sha256').update(`${seed}/${name}`).digest().readUInt32BE(0);
}
