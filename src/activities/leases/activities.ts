import { ApplicationFailure, activityInfo, getClient } from '@temporalio/activity';
import {
  WithStartWorkflowOperation,
  WorkflowFailedError,
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
  sameHolder,
  type WorkflowHolder,
} from '../../domain/lease.js';
import { formatUsd } from '../../domain/money.js';
import type { RunResult } from '../../domain/run-state.js';
import { defaultWaiting, type Waiting } from '../../domain/waiting.js';
import {
  acquireUpdate,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from '../../workflows/messages.js';
import type { AdmissionQueue } from '../admission/admission-queue.js';
import type { Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';
import { finishPromotion } from './finish-promotion.js';
import type { ResourceRemover } from './remover.js';
import { restoreChampion } from './restore-champion.js';
import { leaseSearchAttributes } from './search-attributes.js';

/** The workflow's signature; its code belongs to the other side of the sandbox. */
type LeaseResource = (input: LeaseResourceInput) => Promise<ReleaseReport>;

export interface LeaseDependencies {
  readonly registry: Registry;
  readonly remover: ResourceRemover;
  readonly providers: Providers;
  readonly bucket: string;
  readonly admission: AdmissionQueue;
  readonly watchSeconds: number;
  readonly lookAgainSeconds: number;
  readonly searchAttributes: boolean;
}

export type LeaseActivities = ReturnType<typeof createLeaseActivities>;

export function createLeaseActivities(dependencies: LeaseDependencies) {
  const { registry, remover, admission, watchSeconds } = dependencies;
  return {
    /**
     * Starts the resource's lease, or finds it, and makes `holder` its holder; a stranger's is a `Conflict`.
     * What the run's own version holds already stays with it: the run was reset after its promotion.
     */
    async acquireLease(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseHolder> {
      try {
        const view = await acquire(resource, holder, dependencies);
        requireSameProvider(view, resource);
        return view.holder ?? holder;
      } catch (error) {
        const refusal = await explainRefusal(resource, error);
        const own = isConflict(refusal) ? await findOwnVersion(registry, resource, holder) : null;
        if (own === null) throw refusal;
        return own;
      }
    },

    /** As `acquireLease`, but waits for as long as another run holds it. */
    async awaitLease(resource: LeasedResource, holder: LeaseHolder, waiting: Waiting): Promise<LeaseView> {
      try {
        return await acquire(resource, holder, dependencies);
      } catch (error) {
        const refusal = await explainRefusal(resource, error);
        if (!isConflict(refusal)) throw refusal;
        return lookAgain(await describeHolderOf(resource), waiting);
      }
    },

    /** As `acquireLease`, but answers with the holder, which may be somebody else. */
    async claimLease(resource: LeasedResource, holder: LeaseHolder): Promise<LeaseHolder> {
      try {
        return (await acquire(resource, holder, dependencies)).holder ?? holder;
      } catch (error) {
        const refusal = await explainRefusal(resource, error);
        const other = isConflict(refusal) ? await findHolder(resource) : null;
        if (other === null) throw refusal;
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
      return release(remover, resource, holder);
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
      await admission.leave(resource.name);
      await retryably(() => remover.remove(resource));
    },

    /** Undoes a swap that was cut short: the champion gets its deployment back, and that its champion. */
    async restoreChampion({ model }: LeasedResource): Promise<void> {
      const deployment = await retryably(() => keepAlive(() => restoreChampion(dependencies, model)));
      if (deployment) await handOverToChampion(deployment.lease, deployment.champion);
    },

    /** Gives back what only the version before last needed, where its run vanished before it could. */
    async finishPromotion({ model }: LeasedResource, vanished: WorkflowHolder): Promise<void> {
      const { workflowExecution: execution } = activityInfo();
      const author = { workflowId: execution?.workflowId ?? '', runId: execution?.runId ?? '' };
      const giveBack = (resource: LeasedResource, holder: LeaseHolder) => release(remover, resource, holder);
      await keepAlive(() => finishPromotion({ ...dependencies, release: giveBack }, author, model, vanished));
    },
  };
}

async function acquire(
  resource: LeasedResource,
  holder: LeaseHolder,
  { lookAgainSeconds, searchAttributes }: LeaseDependencies,
): Promise<LeaseView> {
  const input: LeaseResourceInput = { resource, lookAgainSeconds, held: null };
  return getClient().workflow.executeUpdateWithStart(acquireUpdate, {
    args: [holder],
    startWorkflowOperation: new WithStartWorkflowOperation<LeaseResource>('leaseResource', {
      workflowId: leaseWorkflowId(resource),
      taskQueue: activityInfo().taskQueue,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: `Lease on ${resource.kind} ${resource.name}, ${formatUsd(resource.usdPerHour)} an hour`,
      staticDetails: `Owns ${resource.kind} \`${resource.name}\`${resource.provider ? ` at ${resource.provider}` : ''} for ${describeHolder(holder)}; deletes what the holder leaves behind.`,
      ...(searchAttributes && { typedSearchAttributes: leaseSearchAttributes(resource) }),
    }),
  });
}

async function release(
  remover: ResourceRemover,
  resource: LeasedResource,
  holder: LeaseHolder,
): Promise<ReleaseReport> {
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
}

/** A dead holder looks alive until the lease's next look: have it look now, and try again. */
async function explainRefusal(resource: LeasedResource, error: unknown): Promise<unknown> {
  const refusal = refusalOf(error);
  if (refusal?.type !== 'Conflict') return refusal ?? error;
  const holder = await findHolder(resource);
  if (holder?.kind === 'workflow' && (await whyGone(holder)) !== null) {
    await getClient().workflow.getHandle(leaseWorkflowId(resource)).signal(recheckSignal);
    return ApplicationFailure.retryable(`The lease on ${resource.name} is being freed`, 'LeaseClosing');
  }
  return ApplicationFailure.nonRetryable(refusal.message, 'Conflict');
}

function isConflict(refusal: unknown): boolean {
  return (
    refusal instanceof ApplicationFailure && refusal.type === 'Conflict' && refusal.nonRetryable === true
  );
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

/** One lease, one resource: another of the same name elsewhere would never be deleted. */
function requireSameProvider(
  { resource: leased }: LeaseView,
  { kind, name, provider }: LeasedResource,
): void {
  if (leased.provider === provider) return;
  throw ApplicationFailure.nonRetryable(
    `Conflict: the lease on ${kind} "${name}" protects one at ${leased.provider}, not at ${provider}.`,
    'Conflict',
  );
}

async function findHolder(resource: LeasedResource): Promise<LeaseHolder | null> {
  const handle = getClient().workflow.getHandle(leaseWorkflowId(resource));
  try {
    return (await handle.query(leaseQuery)).holder;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
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

async function handOver(resource: LeasedResource, from: LeaseHolder, to: LeaseHolder): Promise<LeaseView> {
  return getClient()
    .workflow.getHandle(leaseWorkflowId(resource))
    .executeUpdate(handOverUpdate, {
      args: [{ from, to }],
      updateId: `handOver/${updateKey(from)}/${updateKey(to)}`,
    })
    .catch(rethrowRefusal);
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
