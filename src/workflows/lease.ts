import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import {
  describeHolder,
  type LeaseHolder,
  type LeaseResourceInput,
  type LeaseState,
  type LeaseView,
  sameHolder,
  type WorkflowHolder,
} from '../domain/lease.js';
import { formatUsd } from '../domain/money.js';
import {
  acquireUpdate,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from './messages.js';
import { leaseActivities, leaseWatch, removal } from './proxies.js';

/** A holder that was terminated may have a create in flight: look again after its longest possible life. */
const createInFlightMs = 45_000;
const nobodyAcquiredMs = 300_000;

/**
 * Owns one paid resource for its holder and deletes it when the holder lets go or is gone: ended,
 * terminated, timed out. The second owner beside the run itself, so it outlives the run.
 *
 * A cancel does not end a lease (that would orphan what it protects); `teardown` does.
 */
export async function leaseResource({ resource }: LeaseResourceInput): Promise<ReleaseReport> {
  let holder: LeaseHolder | null = null;
  let state: LeaseState = 'vacant';
  let report: ReleaseReport | null = null;
  let watch: CancellationScope | null = null;
  const view = (): LeaseView => ({ resource, holder, state });
  const show = () =>
    setCurrentDetails(
      `**${resource.kind}** \`${resource.name}\`, ${formatUsd(resource.usdPerHour)} an hour: ${state}${holder ? ` by ${describeHolder(holder)}` : ''}`,
    );

  const refuseWhileClosing = () => {
    if (state === 'releasing' || state === 'released') {
      throw ApplicationFailure.retryable(`The lease on ${resource.name} is closing`, 'LeaseClosing');
    }
  };
  const refuseStranger = (claimant: LeaseHolder) => {
    if (holder && !sameHolder(holder, claimant)) {
      const owner = `${resource.kind} "${resource.name}" is held by ${describeHolder(holder)}`;
      throw ApplicationFailure.nonRetryable(
        `Conflict: ${owner}; wait until it has ended, or cancel it. Refused: ${describeHolder(claimant)}.`,
        'Conflict',
      );
    }
  };
  const hold = (next: LeaseHolder): LeaseView => {
    holder = next;
    state = 'held';
    watch?.cancel();
    show();
    return view();
  };

  setHandler(leaseQuery, view);
  setHandler(acquireUpdate, hold, {
    validator: (claimant) => {
      refuseWhileClosing();
      refuseStranger(claimant);
    },
  });
  setHandler(handOverUpdate, ({ to }) => hold(to), {
    validator: ({ from, to }) => {
      refuseWhileClosing();
      // Handing over again after a lost reply finds the new holder in place.
      if (!holder || !sameHolder(holder, to)) refuseStranger(from);
    },
  });
  setHandler(
    releaseUpdate,
    async () => {
      if (state === 'held') state = 'releasing';
      watch?.cancel();
      await condition(() => report !== null);
      return report as unknown as ReleaseReport;
    },
    { validator: refuseStranger },
  );
  setHandler(recheckSignal, () => watch?.cancel());

  /** Waits until the holder lets go; true when it vanished without a word. */
  const awaitEndOfHold = async (): Promise<boolean> => {
    while (state === 'held') {
      if (holder?.kind !== 'workflow') {
        const current = holder;
        await condition(() => state !== 'held' || holder !== current);
        continue;
      }
      watch = new CancellationScope({ cancellable: true });
      const watched: WorkflowHolder = holder;
      const gone = await watch.run(() => leaseWatch.awaitHolderGone(watched)).catch(ignoreCancellation);
      if (state !== 'held' || gone === null || holder !== watched) continue;
      const successor = await leaseActivities.findSuccessor(resource);
      if (state !== 'held' || holder !== watched) continue;
      if (successor === null) return true;
      hold(successor);
    }
    return false;
  };

  return CancellationScope.nonCancellable(async () => {
    await condition(() => holder !== null, nobodyAcquiredMs);
    const vanished = holder !== null && (await awaitEndOfHold());
    state = 'releasing';
    show();
    const measured = await removal.measureResource(resource);
    await removal.removeResource(resource);
    if (vanished && resource.kind !== 'model') {
      await condition(() => false, createInFlightMs);
      await removal.removeResource(resource);
    }
    report = measured;
    state = 'released';
    show();
    await condition(allHandlersFinished);
    return measured;
  });
}

function ignoreCancellation(error: unknown): null {
  if (isCancellation(error)) return null;
  throw error;
}
