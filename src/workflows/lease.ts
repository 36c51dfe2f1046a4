import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  describeHolder,
  handOverSchema,
  type LeasedResource,
  type LeaseHolder,
  type LeaseResourceInput,
  type LeaseState,
  type LeaseView,
  leaseHolderSchema,
  leaseResourceInputSchema,
  leaseWorkflowId,
  sameHolder,
  type WorkflowHolder,
} from '../domain/lease.js';
import { formatUsd } from '../domain/money.js';
import { failWith, parseOrFail } from './failures.js';
import {
  acquireUpdate,
  type HandOver,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from './messages.js';
import { leaseActivities, leaseWatch, registry, removal } from './proxies.js';

/** A holder that was terminated may have a create in flight: look again after its longest possible life. */
const createInFlightMs = 45_000;
const nobodyAcquiredMs = 300_000;

/**
 * Owns one paid resource for its holder and deletes it when the holder lets go or is gone: ended,
 * terminated, timed out. The second owner beside the run itself, so it outlives the run.
 *
 * A cancel does not end a lease (that would orphan what it protects); `teardown` does.
 */
export async function leaseResource(input: LeaseResourceInput): Promise<ReleaseReport> {
  const { resource } = parseOrFail(leaseResourceInputSchema, input, 'the input of leaseResource');
  refuseOtherId(resource);
  const lease = new Lease(resource);
  return CancellationScope.nonCancellable(async () => {
    await condition(() => lease.holder !== null, nobodyAcquiredMs);
    const vanished = await lease.awaitEndOfHold();
    const report = await lease.remove(vanished);
    await condition(allHandlersFinished);
    return report;
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

class Lease {
  holder: LeaseHolder | null = null;
  private state: LeaseState = 'vacant';
  private report: ReleaseReport | null = null;
  private watch: CancellationScope | null = null;

  /** Registers every handler: the first update comes with the start. */
  constructor(private readonly resource: LeasedResource) {
    setHandler(leaseQuery, () => this.view());
    setHandler(acquireUpdate, (claimant) => this.hold(claimant), {
      validator: (claimant) => {
        this.refuseWhileClosing();
        this.refuseStranger(claimant);
      },
    });
    setHandler(handOverUpdate, ({ to }) => this.hold(to), {
      validator: (handOver) => this.refuseHandOver(handOver),
    });
    setHandler(releaseUpdate, () => this.release(), {
      validator: (claimant) => this.refuseStranger(claimant),
    });
    setHandler(recheckSignal, () => this.watch?.cancel());
  }

  /** Waits until the holder lets go; true when it vanished without a word. */
  async awaitEndOfHold(): Promise<boolean> {
    while (this.state === 'held') {
      const { holder } = this;
      const changed = () => this.state !== 'held' || this.holder !== holder;
      if (holder?.kind !== 'workflow') {
        await condition(changed);
        continue;
      }
      if (!(await this.sawEndOf(holder)) || changed()) continue;
      const successor = await leaseActivities.findSuccessor(this.resource);
      if (changed()) continue;
      if (successor === null) return true;
      this.hold(successor);
    }
    return false;
  }

  /** Deletes what the lease protects, and answers whoever asked for it. */
  async remove(holderVanished: boolean): Promise<ReleaseReport> {
    this.enter('releasing');
    const measured = await removal.measureResource(this.resource);
    await removal.removeResource(this.resource);
    if (holderVanished && this.resource.kind !== 'model') {
      await this.forget();
      await condition(() => false, createInFlightMs);
      await removal.removeResource(this.resource);
      await this.forget();
    }
    this.report = measured;
    this.enter('released');
    return measured;
  }

  /** A holder that vanished cannot take what it left behind out of the registry. */
  private async forget(): Promise<void> {
    const { workflowId, firstExecutionRunId: runId } = workflowInfo();
    await registry('Take it out of the registry').forgetDeleted(
      { workflowId, runId },
      this.resource,
      'its holder vanished',
    );
  }

  private hold(holder: LeaseHolder): LeaseView {
    this.holder = holder;
    this.watch?.cancel();
    this.enter('held');
    return this.view();
  }

  private async release(): Promise<ReleaseReport> {
    if (this.state === 'held') this.enter('releasing');
    this.watch?.cancel();
    // A handler runs in the workflow's own scope: cancelled, it would answer with that cancel for ever.
    await CancellationScope.nonCancellable(() => condition(() => this.report !== null));
    return this.report as ReleaseReport;
  }

  /** One wait of any length; false when somebody woke it. */
  private async sawEndOf(holder: WorkflowHolder): Promise<boolean> {
    this.watch = new CancellationScope({ cancellable: true });
    try {
      await this.watch.run(() => leaseWatch.awaitHolderGone(holder));
      return true;
    } catch (error) {
      if (isCancellation(error)) return false;
      throw error;
    }
  }

  private refuseWhileClosing(): void {
    if (this.state === 'releasing' || this.state === 'released') {
      throw ApplicationFailure.retryable(`The lease on ${this.resource.name} is closing`, 'LeaseClosing');
    }
  }

  private refuseStranger(claimant: LeaseHolder): void {
    const { holder, resource } = this;
    parseOrFail(leaseHolderSchema, claimant, 'the holder');
    if (!holder || sameHolder(holder, claimant)) return;
    throw ApplicationFailure.nonRetryable(
      `Conflict: ${resource.kind} "${resource.name}" is held by ${describeHolder(holder)}; wait until it has ended, or cancel it. Refused: ${describeHolder(claimant)}.`,
      'Conflict',
    );
  }

  private refuseHandOver(handOver: HandOver): void {
    const { from, to } = parseOrFail(handOverSchema, handOver, 'the hand-over');
    this.refuseWhileClosing();
    // Handing over again after a lost reply finds the new holder in place.
    if (!this.holder || !sameHolder(this.holder, to)) this.refuseStranger(from);
  }

  private view(): LeaseView {
    return { resource: this.resource, holder: this.holder, state: this.state };
  }

  private enter(state: LeaseState): void {
    this.state = state;
    const { kind, name, usdPerHour } = this.resource;
    const owner = this.holder ? ` by ${describeHolder(this.holder)}` : '';
    setCurrentDetails(`**${kind}** \`${name}\`, ${formatUsd(usdPerHour)} an hour: ${state}${owner}`);
  }
}
