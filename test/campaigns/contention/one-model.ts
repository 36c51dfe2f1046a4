import type { WorkflowHandle } from '@temporalio/client';
import type { Campaign } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';

/** When a run worked on its model, by the server's clock: from its first purchase to its end. */
interface Work {
  readonly workflowId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Starts many lifecycles of one model while one is training: every other is to wait for its turn, the rest are
 * to be refused. No two may work on the model at the same time, whatever those that were refused did.
 */
export async function playOneModel(campaign: Campaign, lane: Lane, runs: number): Promise<void> {
  const played = 'one-model';
  const { tally } = campaign;
  const model = lane.newModel();
  const start = (number: number, onRunning: 'wait' | 'refuse') =>
    lane.start('fineTune', lane.smallRun(model, { onRunning }), `contention/${model}/run-${number}`);
  const first = await start(0, 'refuse');
  await lane.awaitStatus(first, ({ job }) => job?.id != null);
  const numbers = Array.from({ length: runs - 1 }, (_, index) => index + 1);
  const refused = await Promise.all(numbers.filter((each) => each % 2 === 1).map((n) => start(n, 'refuse')));
  const refusals = await Promise.all(refused.map((handle) => lane.endOf(handle)));
  const waiting = await Promise.all(numbers.filter((each) => each % 2 === 0).map((n) => start(n, 'wait')));
  const late = await start(runs, 'wait');
  const workers = [first, ...waiting, late];
  const endings = await Promise.all(workers.map((handle) => lane.endOf(handle)));
  const stragglers = await lane.settle(model);

  const works = (await Promise.all(workers.map(workOf))).sort((one, other) => one.fromMs - other.fromMs);
  const overlaps = works.flatMap((work, index) => {
    const next = works[index + 1];
    return next && next.fromMs < work.toMs
      ? [`${next.workflowId} began before ${work.workflowId} ended`]
      : [];
  });
  const promoted = endings.filter(
    (each) => each.closed === 'completed' && each.result.outcome === 'promoted',
  );
  const odd = refusals.filter((each) => each.closed === 'completed' || each.type !== 'Conflict');
  tally.add(played, 'runs', runs + 1);
  tally.add(played, 'promoted', promoted.length);
  tally.add(played, 'refused', refusals.length - odd.length);
  tally.add(played, 'one after another', works.length - overlaps.length);
  campaign.record(
    [
      ...findingsOf('I1', overlaps),
      ...findingsOf('I5', [
        ...(promoted.length === workers.length
          ? []
          : [`${promoted.length} of ${workers.length} were promoted`]),
        ...(odd.length === 0 ? [] : [`${odd.length} of ${refusals.length} were not refused`]),
        ...stragglers.map((id) => `${id} did not end`),
      ]),
      ...(await checkModel(lane, model)),
    ],
    played,
  );
}

async function workOf(handle: WorkflowHandle): Promise<Work> {
  const { events } = await handle.fetchHistory();
  const isPurchase = (name: string | null | undefined) => name === 'submitTrainingJob';
  const purchase = events?.find(({ activityTaskScheduledEventAttributes: scheduled }) =>
    isPurchase(scheduled?.activityType?.name),
  );
  const closed = events?.at(-1);
  return {
    workflowId: handle.workflowId,
    fromMs: toMs(purchase?.eventTime) ?? Number.POSITIVE_INFINITY,
    toMs: toMs(closed?.eventTime) ?? Number.POSITIVE_INFINITY,
  };
}

function toMs(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number | null {
  return time ? Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6 : null;
}
