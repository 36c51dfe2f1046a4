import { getClient } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { PermanentFailure } from '../../domain/failures.js';
import {
  describeHolder,
  type LeasedResource,
  type LeaseHolder,
  type LeaseView,
  type ModelHolder,
  sameHolder,
  type WorkflowHolder,
} from '../../domain/lease.js';
import type { RunResult } from '../../domain/run-state.js';
import { defaultWaiting, type Waiting } from '../../domain/waiting.js';
import type { ReleaseReport } from '../../workflows/messages.js';
import type { Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';
import {
  acquire,
  findHolder,
  handOver,
  isConflict,
  type LeaseSettings,
  release,
  whyGone,
} from './lease-workflow.js';
import type { ResourceRemover } from './remover.js';
import { restoreChampion } from './restore-champion.js';

export interface LeaseDependencies extends LeaseSettings {
  readonly registry: Registry;
  readonly remover: ResourceRemover;
  readonly providers: Providers;
  readonly watchSeconds: number;
}

/** Most deletes take moments; one that takes longer takes minutes. */
const whileReleasing: Waiting = { firstMinuteSeconds: 1, firstHourSeconds: 5, laterSeconds: 30 };

export type LeaseActivities = ReturnType<typeof createLeaseActivities>;

export function createLeaseActivities(dependencies: LeaseDependencies) {
  const { registry, remover, watchSeconds } = dependencies;
  return {
    /**
     * Starts the resource's lease, or finds it, and makes `holder` its holder; a stranger's is a `Conflict`.
     * What the run's own version holds already stays with it: the run was reset after its promotion.
     */
    async acquireLease(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseHolder> {
      try {
        return (await acquire(resource, holder, dependencies)).holder ?? holder;
      } catch (error) {
        const own = isConflict(error) ? await findOwnVersion(registry, resource, holder) : null;
        if (own === null) throw error;
        return own;
      }
    },

    /** As `acquireLease`, but waits for as long as another run holds it. */
    async awaitLease(resource: LeasedResource, holder: LeaseHolder, waiting: Waiting): Promise<LeaseView> {
      try {
        return await acquire(resource, holder, dependencies);
      } catch (error) {
        if (!isConflict(error)) throw error;
        return lookAgain(await describeHolderOf(resource), waiting);
      }
    },

    /** As `acquireLease`, but answers with the holder, which may be somebody else. */
    async claimLease(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseHolder> {
      try {
        return (await acquire(resource, holder, dependencies)).holder ?? holder;
      } catch (error) {
        const other = isConflict(error) ? await findHolder(resource) : null;
        if (other === null) throw error;
        return other;
      }
    },

    /** What a run that somebody joined came to, once it has ended; its failure is a `Conflict`. */
    async awaitResultOf(holder: WorkflowHolder, waiting: Waiting): Promise<RunResult> {
      if ((await whyGone(holder)) === null) lookAgain(`${describeHolder(holder)} is running`, waiting);
      return resultOf(holder);
    },

    async handOverLease(resource: LeasedResource, from: LeaseHolder, to: LeaseHolder): Promise<LeaseView> {
      return handOver(resource, from, to);
    },

    /** Has the lease delete its resource, and waits until it is gone. Fine when there is no such lease. */
    async releaseLease(resource: LeasedResource, holder: LeaseHolder): Promise<ReleaseReport> {
      const report = await release(remover, resource, holder);
      return report ?? lookAgain(`the lease on ${resource.name} is deleting it`, whileReleasing);
    },

    /** Watches a lease's holder; returns why it no longer holds. A wait of any length costs three events. */
    async awaitHolderGone(holder: WorkflowHolder): Promise<string> {
      const reason = await keepAlive(() => whyGone(holder));
      if (reason !== null) return reason;
      return lookAgain(`${describeHolder(holder)} is running`, {
        ...defaultWaiting,
        firstMinuteSeconds: watchSeconds,
        firstHourSeconds: watchSeconds,
        laterSeconds: watchSeconds,
      });
    },

    /** A registered version that still needs the resource although its holder is gone; null when none does. */
    async findSuccessor(resource: LeasedResource): Promise<ModelHolder | null> {
      const { model } = resource;
      for (const version of await registry.versions(model)) {
        const serves = version.status === 'champion' || version.status === 'previous';
        const needs = version.modelName === resource.name || version.deployment?.name === resource.name;
        if (serves && needs) return { kind: 'model-version', model, version: version.version };
      }
      return null;
    },

    async measureResource(resource: LeasedResource): Promise<ReleaseReport> {
      return retryably(() => remover.measure(resource));
    },

    async removeResource(resource: LeasedResource): Promise<void> {
      await retryably(() => remover.remove(resource));
    },

    /**
     * Archives a vanished run's candidate whose model is gone: the run had deleted it, and ended before it took it
     * out of the registry.
     */
    async forgetLostCandidates({ workflowId, firstRunId }: WorkflowHolder, model: string): Promise<void> {
      const author = { workflowId, runId: firstRunId };
      for (const candidate of await registry.versions(model)) {
        const { version, status, provider, modelName } = candidate;
        const isOfRun = candidate.workflowId === workflowId && candidate.runId === firstRunId;
        if (!isOfRun || status !== 'candidate') continue;
        const trainedBy = dependencies.providers.training.get(provider);
        if (!trainedBy || (await retryably(() => trainedBy.hasModel(modelName)))) continue;
        const notes = 'its run vanished after its model was deleted';
        await registry.retire(author, { model, version, action: 'teardown', notes });
      }
    },

    /** Undoes a swap that was cut short: the champion gets its deployment back, and that its champion. */
    async restoreChampion({ model }: LeasedResource): Promise<void> {
      const deployment = await retryably(() => keepAlive(() => restoreChampion(dependencies, model)));
      if (deployment) await handOverToChampion(deployment.lease, deployment.champion);
    },
  };
}

async function resultOf(holder: WorkflowHolder): Promise<RunResult> {
  const handle = getClient().workflow.getHandle(holder.workflowId, undefined, {
    firstExecutionRunId: holder.firstRunId,
  });
  try {
    return (await handle.result()) as RunResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const reason = error.cause?.message ?? error.message;
    throw new PermanentFailure(
      'Conflict',
      `Conflict: ${describeHolder(holder)}, which was joined: ${reason}`,
    );
  }
}

/** The version that holds a resource, where this very run registered it. */
async function findOwnVersion(
  registry: Registry,
  resource: LeasedResource,
  claimant: LeaseHolder,
): Promise<ModelHolder | null> {
  const holder = await findHolder(resource);
  if (holder?.kind !== 'model-version' || claimant.kind !== 'workflow') return null;
  const version = await registry.version(holder.model, holder.version);
  const isOwn = version?.workflowId === claimant.workflowId && version.runId === claimant.firstRunId;
  return isOwn ? holder : null;
}

async function describeHolderOf(resource: LeasedResource): Promise<string> {
  const holder = await findHolder(resource);
  return `${resource.kind} ${resource.name} is held by ${holder ? describeHolder(holder) : 'somebody else'}`;
}

/** After a swap that was cut short the lease may still name the version that served before. */
async function handOverToChampion(resource: LeasedResource, champion: ModelHolder): Promise<void> {
  const from = await findHolder(resource);
  if (from?.kind !== 'model-version' || sameHolder(from, champion)) return;
  await handOver(resource, from, champion);
}

/** A delete is never given up: what no retry can mend today, such as a missing permission, people mend. */
async function retryably<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PermanentFailure) throw new Error(error.message, { cause: error });
    throw error;
  }
}
