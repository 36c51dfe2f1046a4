import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type LeasedResource,
  type LeaseResourceInput,
  leaseResourceInputSchema,
  leaseWorkflowId,
  type WorkflowHolder,
} from '../domain/lease.js';
import { failWith, parseOrFail } from './failures.js';
import { type Giver, giveBackSuperseded, giverOf } from './give-back.js';
import { Lease } from './lease-state.js';
import type { ReleaseReport } from './messages.js';
import { budgets, leaseActivities, leaseWatch, registry, removal } from './proxies.js';

const nobodyAcquiredMs = 300_000;

/**
 * Owns one paid resource for its holder and deletes it when the holder lets go, is gone (ended, terminated,
 * timed out) or has held it longer than agreed. The second owner beside the run itself, so it outlives the run.
 *
 * A cancel does not end a lease (that would orphan what it protects); `teardown` does.
 */
export async function leaseResource(input: LeaseResourceInput): Promise<ReleaseReport> {
  const { resource, lookAgainSeconds, held } = parseOrFail(
    leaseResourceInputSchema,
    input,
    'the input of leaseResource',
  );
  refuseOtherId(resource);
  const lease = new Lease(resource, held);
  return CancellationScope.nonCancellable(async () => {
    await condition(() => lease.holder !== null, nobodyAcquiredMs);
    const end = await awaitEndOfHold(lease);
    if (end === 'continued') {
      await condition(allHandlersFinished);
      return continueAsNew<typeof leaseResource>({ resource, lookAgainSeconds, held: lease.held() });
    }
    const { holder } = lease;
    lease.startClosing();
    lease.close(await remove(lease, end));
    if (holder?.kind === 'workflow' && resource.kind !== 'model') {
      // A create may have been under way when its run was cancelled or vanished: look again after it.
      await sleep(lookAgainSeconds * 1000, { summary: 'Was a create still under way?' });
      await remove(lease, end);
    }
    await condition(allHandlersFinished);
    return lease.report as ReleaseReport;
  });
}

/** A second lease on the same resource, under an ID of its own, would delete what the first one protects. */
function refuseOtherId(resource: LeasedResource): void {
  const { workflowId } = workflowInfo();
  const expected = leaseWorkflowId(resource);
  if (workflowId === expected) return;
  throw failWith(
    'InvalidInput',
    `--workflow-id: found "${workflowId}"; allowed: ${expected}. Runs start leases themselves; use teardown to delete what a model keeps.`,
  );
}

/** A lease lives for months: it starts a new history long before this one is a burden to load. */
const longHistoryEvents = 1000;

function isHistoryLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > longHistoryEvents;
}

type EndOfHold = 'released' | 'vanished' | 'expired' | 'continued';

async function awaitEndOfHold(lease: Lease): Promise<EndOfHold> {
  while (lease.state === 'held') {
    const { holder, resource } = lease;
    const changed = () => lease.state !== 'held' || lease.holder !== holder;
    if (isHistoryLong()) return 'continued';
    if (holder?.kind !== 'workflow') {
      await condition(() => changed() || isHistoryLong());
      continue;
    }
    const isGone = await sawEndOf(lease, holder);
    if (changed() || (!isGone && !lease.hasExpired())) continue;
    const successor = await leaseActivities.findSuccessor(resource);
    if (changed()) continue;
    if (successor === null) return isGone ? 'vanished' : 'expired';
    lease.hold(successor);
  }
  return 'released';
}

/** One wait of any length; false when somebody woke it, or when the agreed time is over. */
async function sawEndOf(lease: Lease, holder: WorkflowHolder): Promise<boolean> {
  const timeout = lease.remainingMs();
  const watch = new CancellationScope({ cancellable: true, ...(timeout !== null && { timeout }) });
  lease.watch = watch;
  try {
    await watch.run(() => leaseWatch.awaitHolderGone(holder));
    return true;
  } catch (error) {
    if (isCancellation(error)) return false;
    throw error;
  }
}

/** Deletes what the lease protects, and books what it came to. */
async function remove({ resource, holder }: Lease, end: EndOfHold): Promise<ReleaseReport> {
  const measured = await removal.measureResource(resource);
  await removal.removeResource(resource);
  if (measured.usd > 0) await book(resource, measured);
  if (end === 'released') return measured;
  if (resource.kind === 'model') {
    if (holder?.kind === 'workflow') await settleVanishedRun(resource, holder);
    return measured;
  }
  // A holder that vanished cannot take what it left behind out of the registry.
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  const why = end === 'expired' ? 'its lease expired' : 'its holder vanished';
  await registry('Take it out of the registry').forgetDeleted({ workflowId, runId }, resource, why);
  return measured;
}

/** Under the key that the run uses too: whoever books first counts, the other changes nothing. */
async function book(resource: LeasedResource, { usd }: ReleaseReport): Promise<void> {
  await budgets('Book what it cost').bookSpend({
    key: workflowInfo().workflowId,
    model: resource.model,
    what: `${resource.kind} ${resource.name}`,
    usd,
    at: new Date().toISOString(),
  });
}

/** A run that vanished may have left a swap or a promotion half done, and has booked nothing. */
async function settleVanishedRun(resource: LeasedResource, holder: WorkflowHolder): Promise<void> {
  await removal.restoreChampion(resource);
  if (patched('lost-candidates')) await removal.forgetLostCandidates(holder, resource.model);
  const left = await registry('What has it promoted?').standbysLeftBy(holder, resource.model);
  if (left) await giveBackSuperseded(successorOfVanishedRun(), left);
  await budgets('Book what it may have spent').settleVanished(holder);
}

/** What cannot be released now, because somebody else holds it, is the sweep's to judge. */
function successorOfVanishedRun(): Giver {
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  return giverOf({ workflowId, runId });
}
