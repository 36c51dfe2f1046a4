import { activityInfo, getClient } from '@temporalio/activity';
import { type WorkflowExecutionStatusName, WorkflowNotFoundError } from '@temporalio/client';
import { leaseWorkflowId } from '../../domain/lease.js';

/** A lease that is open answers for its resource, whatever it is doing. */
export function isLeased(kind: 'model' | 'training-job' | 'deployment', name: string): Promise<boolean> {
  return isOpen(leaseWorkflowId({ kind, name }));
}

/** How the workflow that made something stands; `unknown` where nobody can say any more. */
export type CreatorState = 'running' | 'completed' | 'broken-off' | 'unknown';

/** Looks for the workflow that tags name as creator. */
export async function findCreator(tags: Readonly<Record<string, string>>): Promise<CreatorState> {
  const { 'anneal:workflow': workflowId, 'anneal:run': runId } = tags;
  if (!workflowId || !runId) return 'unknown';
  const latest = await describe(workflowId);
  if (latest?.firstRunId === runId) return toCreatorState(latest);
  // A provider may refuse characters of an ID, and its tag then names another one: the run ID is exact.
  if (!/^[0-9a-f-]{36}$/.test(runId)) return 'unknown';
  for await (const { workflowId: exactId } of getClient().workflow.list({ query: `RunId="${runId}"` })) {
    const exact = await describe(exactId, runId);
    if (exact) return toCreatorState(exact);
  }
  return 'unknown';
}

function toCreatorState({ status, wasReset }: Described): CreatorState {
  if (isOpenStatus(status)) return 'running';
  // What came of a run that was reset, only its successor knows.
  if (wasReset) return 'unknown';
  return status === 'COMPLETED' ? 'completed' : 'broken-off';
}

async function isOpen(workflowId: string): Promise<boolean> {
  const described = await describe(workflowId);
  return described !== null && isOpenStatus(described.status);
}

interface Described {
  readonly status: WorkflowExecutionStatusName;
  readonly firstRunId: string | null;
  readonly wasReset: boolean;
}

async function describe(workflowId: string, runId?: string): Promise<Described | null> {
  try {
    const { status, raw } = await getClient().workflow.getHandle(workflowId, runId).describe();
    return {
      status: status.name,
      firstRunId: raw.workflowExecutionInfo?.firstRunId ?? null,
      wasReset: Boolean(raw.workflowExtendedInfo?.resetRunId),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

function isOpenStatus(status: WorkflowExecutionStatusName): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}

export interface OpenLease {
  readonly workflowId: string;
  readonly ageHours: number;
}

const leasesInPage = 100;

/** A page of the leases on this worker's task queue: another queue may belong to another account. */
export async function listOpenLeases(
  page: string | null,
): Promise<{ leases: OpenLease[]; next: string | null }> {
  const { workflowService, options } = getClient();
  const { executions = [], nextPageToken } = await workflowService.listWorkflowExecutions({
    namespace: options.namespace,
    query: `WorkflowType="leaseResource" AND ExecutionStatus="Running" AND TaskQueue="${activityInfo().taskQueue}"`,
    pageSize: leasesInPage,
    nextPageToken: page === null ? undefined : Buffer.from(page, 'base64'),
  });
  const leases = (executions ?? []).map(({ execution, startTime }) => ({
    workflowId: execution?.workflowId ?? '',
    ageHours: (Date.now() - Number(startTime?.seconds ?? 0) * 1000) / 3_600_000,
  }));
  const next = nextPageToken?.length ? Buffer.from(nextPageToken).toString('base64') : null;
  return { leases, next };
}
