import { ActivityFailure, CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import {
  type LeasedResource,
  leaseWorkflowId,
  type ModelHolder,
  sameHolder,
  type WorkflowHolder,
} from '../domain/lease.js';
import type { ModelVersion } from '../domain/model-version.js';
import type { Purchase } from '../domain/purchase.js';
import { failWith, toRunFailure } from './failures.js';
import type { Giver } from './give-back.js';
import { leaseReleases, leases } from './proxies.js';
import type { Run } from './run.js';

interface Undo {
  readonly resource: LeasedResource;
  readonly what: string;
}

/** What a run has bought and not yet handed over: how it is bought, handed over and given back. */
export class Purchases implements Giver {
  private readonly undos: Undo[] = [];

  constructor(private readonly run: Run) {}

  get author(): Giver['author'] {
    return this.run.author;
  }

  /**
   * Buys one paid resource: its lease first, then the undo, then the create. No cancel tears a create from
   * its result; one that arrived meanwhile takes effect right after, when the undo knows what to delete.
   * Where the provider has no room, the run shows why and waits in line, and can be cancelled there.
   *
   * `create` asks once, or with `isPatient` until there is room.
   */
  async buy<T>(
    resource: LeasedResource,
    holdHours: number,
    create: (isPatient: boolean) => Promise<Purchase<T>>,
  ): Promise<T> {
    const first = await CancellationScope.nonCancellable(async () => {
      const claimant = { ...this.run.holder, holdHours };
      const lease = leases(`Lease ${resource.kind} ${resource.name}`);
      const holder = await lease.acquireLease(resource, claimant);
      // Held by this run's own version, after a reset, it is not this run's to give back any more.
      if (sameHolder(holder, claimant)) {
        this.undos.push({ resource, what: `delete ${resource.kind} ${resource.name}` });
      }
      return create(false);
    });
    throwIfCancelled();
    return 'bought' in first ? first.bought : this.waitInLine(first.obstacle, () => create(true));
  }

  /** Hands everything this run bought to the version it was bought for: nothing is left to undo. */
  async handOverTo(version: Pick<ModelVersion, 'model' | 'version'>): Promise<void> {
    const to: ModelHolder = { kind: 'model-version', model: version.model, version: version.version };
    await CancellationScope.nonCancellable(async () => {
      for (const { resource } of [...this.undos]) {
        await leases(`Hand over ${resource.name}`).handOverLease(resource, this.run.holder, to);
        this.undos.splice(0, 1);
      }
    });
  }

  /** Deletes what this run bought, last in first out; reports what was done and what could not be. */
  async undoAll(): Promise<LeasedResource[]> {
    const deleted: LeasedResource[] = [];
    await CancellationScope.nonCancellable(async () => {
      for (let undo = this.undos.pop(); undo; undo = this.undos.pop()) {
        if (await this.release(undo.resource, this.run.holder, undo.what)) deleted.push(undo.resource);
      }
    });
    return deleted;
  }

  /** Gives back the deployments that were bought only to try a candidate. */
  async giveBackDeployments(): Promise<void> {
    for (const undo of this.undos.filter(({ resource }) => resource.kind === 'deployment')) {
      await this.release(undo.resource, this.run.holder, undo.what);
      this.undos.splice(this.undos.indexOf(undo), 1);
    }
  }

  /** Gives one resource back through its lease and books what it cost; false when it could not be. */
  async release(
    resource: LeasedResource,
    holder: WorkflowHolder | ModelHolder,
    what: string,
  ): Promise<boolean> {
    const { state } = this.run;
    let isGone = false;
    try {
      const report = await leaseReleases(what).releaseLease(resource, holder);
      const hours = report.billedHours === null ? '' : ` (${report.billedHours.toFixed(2)} h billed)`;
      this.run.spend(`${resource.kind} ${resource.name}${hours}`, report.usd, leaseWorkflowId(resource));
      state.undone.push({ what: `${what}${hours}`, problem: null });
      isGone = true;
    } catch (error) {
      state.undone.push({ what, problem: toRunFailure(error, 'TeardownIncomplete').message });
    }
    this.run.show();
    return isGone;
  }

  /** Fails when something that a completed run should have deleted is still there. */
  requireTeardown(): void {
    const left = this.run.state.undone.filter(({ problem }) => problem !== null);
    if (left.length === 0) return;
    const list = left.map(({ what, problem }) => `${what}: ${problem}`).join('; ');
    throw failWith(
      'TeardownIncomplete',
      `${list}. The leases keep trying; see temporal workflow list.`,
      left,
    );
  }

  private async waitInLine<T>(obstacle: string, create: () => Promise<Purchase<T>>): Promise<T> {
    const { state } = this.run;
    state.waitingFor = obstacle;
    this.run.show();
    try {
      const purchase = await create();
      throwIfCancelled();
      if ('bought' in purchase) return purchase.bought;
      throw failWith('ProviderRejected', purchase.obstacle);
    } catch (error) {
      // A look that a cancel caught in its middle comes back as a failure of its own.
      if (!isCancellation(error)) throwIfCancelled();
      throw explained(error, obstacle);
    } finally {
      state.waitingFor = null;
      this.run.show();
    }
  }
}

/** The server's word on a deadline says nothing about what was waited for. */
function explained(error: unknown, obstacle: string): unknown {
  const ranOut = error instanceof ActivityFailure && error.retryState === 'TIMEOUT';
  if (!ranOut) return error;
  return failWith('ProviderRejected', `there was no room within deadlines.purchaseHours: ${obstacle}`);
}

/** Lets a cancel that arrived inside a non-cancellable scope take effect. */
export function throwIfCancelled(): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Workflow cancelled');
}
