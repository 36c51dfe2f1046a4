import type { LedgerEntry, SandboxResource } from '../../../src/sandbox/admin.js';
import type { Ending } from '../../support/service.js';
import { checkModel, type Finding, findingsOf, isOf } from '../support/invariants.js';
import { type Action, firstOfPromotion } from './points.js';
import { eventsOf, type HistoryEvent, milliseconds, type Staged, watchSeconds } from './stage.js';

/** What a run has bought and what lives and bills without being kept by the registry. */
export async function orphansOf({ lane, model, key }: Staged): Promise<SandboxResource[]> {
  const versions = await lane.dependencies.registry.versions(model);
  const kept = versions.filter(({ status }) => status === 'champion' || status === 'previous');
  const needed = kept.flatMap(({ modelName, deployment }) => [modelName, deployment?.name]);
  const live = (await lane.live()).filter((resource) => isOf(resource, model));
  return live.filter(({ name }) => name.startsWith(key) && !needed.includes(name));
}

/** What a run has had created that is paid for. */
export function creates(ledger: readonly LedgerEntry[], { key }: Staged): LedgerEntry[] {
  const paid = ['trainingJob', 'deployment', 'provisionedThroughput'];
  return ledger.filter(
    ({ action, kind, name }) => action === 'create' && paid.includes(kind) && name.startsWith(key),
  );
}

/** Waits until nothing of a run is left but what became the champion's; milliseconds since `sinceMs`. */
export async function awaitNoOrphans(
  staged: Staged,
  sinceMs: number,
  longestMs = 60_000,
): Promise<{ ms: number; left: readonly SandboxResource[] }> {
  for (;;) {
    const left = await orphansOf(staged);
    const ms = Date.now() - sinceMs;
    if (left.length === 0 || ms > longestMs) return { ms, left };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export interface LeaseTimes {
  /** From the run's end until its lease knew of it. */
  readonly noticedMs: number;
  /** From then until what it protects was deleted for the first time, and for the last. */
  readonly removedMs: number;
  readonly removedAgainMs: number;
}

/** When each of a run's leases noticed that it was gone, and how long it then took; by their histories. */
export async function leaseTimes({ lane, key }: Staged, endedMs: number): Promise<LeaseTimes[]> {
  const ids = [`lease/training-job/${key}-t1`, `lease/deployment/${key}-d1`];
  const times = await Promise.all(
    ids.map(async (workflowId) => {
      const events = await eventsOf(lane.client.workflow.getHandle(workflowId)).catch(() => []);
      const noticed = completionsOf(events, 'awaitHolderGone').at(-1);
      const removed = completionsOf(events, 'removeResource');
      if (noticed === undefined || removed.length === 0) return [];
      return [
        {
          noticedMs: noticed - endedMs,
          removedMs: (removed[0] as number) - noticed,
          removedAgainMs: (removed.at(-1) as number) - noticed,
        },
      ];
    }),
  );
  return times.flat();
}

function completionsOf(events: readonly HistoryEvent[], activity: string): number[] {
  const scheduled = new Set(
    events
      .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity)
      .map(({ eventId }) => String(eventId)),
  );
  return events
    .filter(({ activityTaskCompletedEventAttributes: completed }) =>
      scheduled.has(String(completed?.scheduledEventId)),
    )
    .map(milliseconds);
}

/** What is wrong with how long leases took to clean up behind a run that was terminated. */
export function wrongTimes(times: readonly LeaseTimes[], goneMs: number, wasCreatedLate: boolean): string[] {
  const periodsMs = 2 * watchSeconds * 1000;
  const removalMs = Math.max(
    0,
    ...times.map((each) => (wasCreatedLate ? each.removedAgainMs : each.removedMs)),
  );
  const late = times.filter(({ noticedMs }) => noticedMs > periodsMs);
  return [
    ...late.map(
      ({ noticedMs }) => `a lease noticed the end after ${noticedMs.toFixed(0)} ms, not ${periodsMs}`,
    ),
    // The look that saw nothing left is some moments later.
    ...(goneMs > periodsMs + removalMs + 500
      ? [`nothing was left after ${goneMs} ms, not ${periodsMs} + ${removalMs.toFixed(0)} for the removal`]
      : []),
  ];
}

/** What is wrong with how a run ended that was cancelled or terminated; null when nothing is. */
export async function wrongEnd(
  { handle }: Staged,
  action: Extract<Action, 'cancel' | 'terminate' | 'cancel-terminate'>,
  ending: Ending | null,
): Promise<string | null> {
  if (!ending) return 'the run did not end';
  const found =
    ending.closed === 'completed' ? String(ending.result.outcome) : `${ending.type} ${ending.message}`;
  const said = `the run was to end by ${action} and ended ${ending.closed}: ${found}`;
  if (action !== 'cancel' && ending.closed === 'terminated') return null;
  if (action === 'terminate') return said;
  const { isPromoting, isLate } = promotionIn(await eventsOf(handle));
  if (isLate) return 'the run began its promotion after it had been cancelled';
  const isRight = isPromoting
    ? ending.closed === 'completed' && ending.result.outcome === 'promoted'
    : ending.closed === 'cancelled';
  return isRight ? null : said;
}

/** Whether a run came to its promotion, and whether it knew of its cancel by then. */
function promotionIn(events: readonly HistoryEvent[]): { isPromoting: boolean; isLate: boolean } {
  const cancelled = events.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes);
  const first = events.findIndex((event) =>
    firstOfPromotion.includes(event.activityTaskScheduledEventAttributes?.activityType?.name ?? ''),
  );
  if (first < 0) return { isPromoting: false, isLate: false };
  const task = events[first]?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId;
  const completed = events.find(({ eventId }) => String(eventId) === String(task));
  const started = completed?.workflowTaskCompletedEventAttributes?.startedEventId;
  const isLate = cancelled >= 0 && Number(started) > Number(events[cancelled]?.eventId);
  return { isPromoting: true, isLate };
}

/** I1 to I4 and I6, and what they do not say of a champion on a throughput and of those before it. */
export async function checkAll({ lane, model }: Staged): Promise<Finding[]> {
  const { registry, providers } = lane.dependencies;
  const champion = await registry.champion(model);
  const deployment = champion?.deployment;
  const served = deployment && (await providers.targets.get(deployment.target)?.describe(deployment));
  const isServed = !champion || served?.modelId === champion.modelId;
  const standby = (await registry.versions(model)).filter(({ status }) => status === 'previous');
  const billing = standby.filter((version) => (version.deployment?.usdPerHour ?? 0) > 0);
  return [
    ...(await checkModel(lane, model)),
    ...findingsOf('I3', isServed ? [] : [`the champion's deployment serves ${served?.modelId}`]),
    ...findingsOf(
      'I2',
      billing.map(
        ({ version, deployment: kept }) => `${kept?.name} of version ${version} bills by the hour for nobody`,
      ),
    ),
    ...findingsOf(
      'I2',
      standby.length > 1 ? [`${standby.length} versions are kept as previous champions`] : [],
    ),
  ];
}
