import { ApplicationFailure, activityInfo, getClient } from '@temporalio/activity';
import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { PermanentFailure } from '../../domain/failures.js';
import {
  describeHolder,
  type LeasedResource,
  type LeaseHolder,
  type LeaseResourceInput,
  type LeaseView,
  leaseWorkflowId,
  type ModelHolder,
  type WorkflowHolder,
} from '../../domain/lease.js';
import { defaultWaiting } from '../../domain/waiting.js';
import {
  acquireUpdate,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from '../../workflows/messages.js';
import type { Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';
import type { ResourceRemover } from './remover.js';

/** The workflow's signature; its code belongs to the other side of the sandbox. */
type LeaseResource = (input: LeaseResourceInput) => Promise<ReleaseReport>;

export interface LeaseDependencies {
  readonly registry: Registry;
  readonly remover: ResourceRemover;
  readonly watchSeconds: number;
}

export type LeaseActivities = ReturnType<typeof createLeaseActivities>;

export function createLeaseActivities({ registry, remover, watchSeconds }: LeaseDependencies) {
  return {
    /** Starts the resource's lease, or finds it, and makes `holder` its holder; a stranger's is a `Conflict`. */
    async acquireLease(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseView> {
      try {
        return await acquire(resource, holder);
      } catch (error) {
        throw await explainRefusal(resource, error);
      }
    },

    async handOverLease(resource: LeasedResource, from: LeaseHolder, to: LeaseHolder): Promise<LeaseView> {
      return getClient()
        .workflow.getHandle(leaseWorkflowId(resource))
        .executeUpdate(handOverUpdate, {
          args: [{ from, to }],
          updateId: `handOver/${updateKey(from)}/${updateKey(to)}`,
        })
        .catch(rethrowRefusal);
    },

    /** Has the lease delete its resource, and waits until it is gone. Fine when there is no such lease. */
    async releaseLease(resource: LeasedResource, holder: LeaseHolder): Promise<ReleaseReport> {
      const handle = getClient().workflow.getHandle(leaseWorkflowId(resource));
      try {
        return await keepAlive(() =>
          handle.executeUpdate(releaseUpdate, { args: [holder], updateId: `release/${updateKey(holder)}` }),
        );
      } catch (error) {
        // No lease, or one that has ended: what it protected is gone, but only a look is proof.
        if (!(error instanceof WorkflowNotFoundError)) return rethrowRefusal(error);
        const report = await remover.measure(resource);
        await remover.remove(resource);
        return report;
      }
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
  };

  async function acquire(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseView> {
    const input: LeaseResourceInput = { resource };
    return getClient().workflow.executeUpdateWithStart(acquireUpdate, {
      args: [holder],
      startWorkflowOperation: new WithStartWorkflowOperation<LeaseResource>('leaseResource', {
        workflowId: leaseWorkflowId(resource),
        taskQueue: activityInfo().taskQueue,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `Lease on ${resource.kind} ${resource.name}`,
        staticDetails: `Owns ${resource.kind} \`${resource.name}\`${resource.provider ? ` at ${resource.provider}` : ''} for ${describeHolder(holder)}; deletes what the holder leaves behind.`,
      }),
    });
  }

  /** A dead holder looks alive until the lease's next look: have it look now, and try again. */
  async function explainRefusal(resource: LeasedResource, error: unknown): Promise<unknown> {
    const refusal = refusalOf(error);
    if (refusal?.type !== 'Conflict') return refusal ?? error;
    const handle = getClient().workflow.getHandle(leaseWorkflowId(resource));
    const view = await handle.query(leaseQuery);
    if (view.holder?.kind === 'workflow' && (await whyGone(view.holder)) !== null) {
      await handle.signal(recheckSignal);
      return ApplicationFailure.retryable(`The lease on ${resource.name} is being freed`, 'LeaseClosing');
    }
    return ApplicationFailure.nonRetryable(refusal.message, 'Conflict');
  }
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

/** Null while the workflow that holds is open and is the one that acquired. */
async function whyGone(holder: WorkflowHolder): Promise<string | null> {
  try {
    const description = await getClient().workflow.getHandle(holder.workflowId).describe();
    const firstRunId = description.raw.workflowExecutionInfo?.firstRunId;
    if (firstRunId !== holder.firstRunId) return 'its ID is used by another run';
    const { name } = description.status;
    return name === 'RUNNING' || name === 'PAUSED' ? null : name.toLowerCase();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not found';
    throw error;
  }
}

function refusalOf(error: unknown): ApplicationFailure | null {
  if (!(error instanceof WorkflowUpdateFailedError)) return null;
  return error.cause instanceof ApplicationFailure ? error.cause : null;
}

function rethrowRefusal(error: unknown): never {
  const refusal = refusalOf(error);
  if (refusal?.type === 'Conflict') throw ApplicationFailure.nonRetryable(refusal.message, 'Conflict');
  throw refusal ?? error;
}

function updateKey(holder: LeaseHolder): string {
  return holder.kind === 'workflow' ? holder.firstRunId : `${holder.model}/${holder.version}`;
}
