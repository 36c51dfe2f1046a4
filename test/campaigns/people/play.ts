import type { Campaign } from '../support/campaign.js';
import { findingsOf } from '../support/invariants.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { awaitNoOrphans, checkAll, creates, leaseTimes, orphansOf, wrongEnd, wrongTimes } from './checks.js';
import type { PointCase } from './points.js';
import { afterCancelAndReset, afterReset } from './reset.js';
import {
  type Aftermath,
  awaitPoint,
  type Champions,
  endWithin,
  randomOf,
  type Staged,
  stageRun,
  stopAt,
  watchSeconds,
} from './stage.js';
import { afterTerminateAll } from './sweep.js';

/** A release takes about as long. */
const longestPauseMs = 250;

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
    aftermath = await after(campaign, row, played, staged);
  } finally {
    lane.workers?.continue();
  }
  report(campaign, champions, played, { ...aftermath, lane, row });
}

function after(campaign: Campaign, row: string, played: PointCase, staged: Staged): Promise<Aftermath> {
  switch (played.action) {
    case 'reset':
      return afterReset(campaign, played, staged);
    case 'cancel-reset':
      return afterCancelAndReset(campaign, played, staged);
    case 'cancel-terminate':
      return afterCancelAndTerminate(campaign, played, staged);
    case 'terminate-all':
      return afterTerminateAll(campaign, row, staged);
    default:
      return afterEnd(campaign, row, staged, played.action);
  }
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
  const random = randomOf(campaign, played);
  const release = { event: 'ActivityTaskScheduled:releaseLease', nth: random() < 0.3 ? 1 : 2 };
  await staged.handle.cancel();
  staged.lane.workers?.continue();
  await awaitPoint(staged, release, campaign.signal);
  await new Promise((resolve) => setTimeout(resolve, random() * longestPauseMs));
  const row = `${played.scenario} ${played.action}`;
  return afterEnd(campaign, row, staged, 'cancel-terminate', { isWatched: false });
}
