import { ApplicationFailure, activityInfo, getClient } from '@temporalio/activity';
import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  describeHolder,
  type LeasedResource,
  type LeaseHolder,
  type LeaseResourceInput,
  type LeaseView,
  leaseWorkflowId,
  type WorkflowHolder,
} from '../../domain/lease.js';
import { formatUsd } from '../../domain/money.js';
import {
  acquireUpdate,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from '../../workflows/messages.js';
import { keepAlive } from '../waiting.js';
import type { ResourceRemover } from './remover.js';
import { leaseSearchAttributes } from './search-attributes.js';

/** The workflow's signature; its code belongs to the other side of the sandbox. */
type LeaseResource = (input: LeaseResourceInput) => Promise<ReleaseReport>;

export interface LeaseSettings {
  readonly lookAgainSeconds: number;
  readonly searchAttributes: boolean;
}

/** Starts the resource's lease, or finds it, and makes `holder` its holder; a stranger's is a `Conflict`. */
export async function acquire(
  resource: LeasedResource,
  holder: LeaseHolder,
  settings: LeaseSettings,
): Promise<LeaseView> {
  const view = await startOrFind(resource, holder, settings).catch(async (error: unknown) => {
    throw await explainRefusal(resource, error);
  });
  requireSameProvider(view, resource);
  return view;
}

function startOrFind(
  resource: LeasedResource,
  holder: LeaseHolder,
  { lookAgainSeconds, searchAttributes }: LeaseSettings,
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

/**
 * So long one call waits for a lease. What the lease does needs slots of the same workers: whoever waited for it in
 * one of them to the end could, together with many others, take the last.
 */
const releaseLookMs = 3_000;

/**
 * Has the lease delete its resource; null while it is still at it, then call again. Fine when there is no such
 * lease.
 */
export async function release(
  remover: ResourceRemover,
  resource: LeasedResource,
  holder: LeaseHolder,
): Promise<ReleaseReport | null> {
  const client = getClient();
  const handle = client.workflow.getHandle(leaseWorkflowId(resource));
  try {
    return await keepAlive(() =>
      client.withDeadline(Date.now() + releaseLookMs, () =>
        handle.executeUpdate(releaseUpdate, { args: [holder], updateId: `release/${updateKey(holder)}` }),
      ),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return null;
    // No lease, or one that has ended: what it protected is gone, but only a look is proof.
    if (!(error instanceof WorkflowNotFoundError)) return rethrowRefusal(error);
    const report = await remover.measure(resource);
    await remover.remove(resource);
    return report;
  }
}

/** The same, waiting until the lease is done. */
export async function releaseToTheEnd(...of: Parameters<typeof release>): Promise<ReleaseReport> {
  for (;;) {
    const report = await release(...of);
    if (report !== null) return report;
  }
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

/** Somebody else holds it, and is alive. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.type === 'Conflict' && error.nonRetryable === true;
}

/** Null where there is no lease. */
export async function findHolder(resource: LeasedResource): Promise<LeaseHolder | null> {
  const handle = getClient().workflow.getHandle(leaseWorkflowId(resource));
  try {
    return (await handle.query(leaseQuery)).holder;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Makes `to` the holder in the place of `from`; fine when it is already. */
export async function handOver(
  resource: LeasedResource,
  from: LeaseHolder,
  to: LeaseHolder,
): Promise<LeaseView> {
  return getClient()
    .workflow.getHandle(leaseWorkflowId(resource))
    .executeUpdate(handOverUpdate, {
      args: [{ from, to }],
      updateId: `handOver/${updateKey(from)}/${updateKey(to)}`,
    })
    .catch(rethrowRefusal);
}

/** Null while the workflow that holds is open and is the one that acquired. */
export async function whyGone(holder: WorkflowHolder): Promise<string | null> {
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
