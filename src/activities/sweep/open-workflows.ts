import { activityInfo, getClient } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { leaseWorkflowId } from '../../domain/lease.js';

/** A lease that is open answers for its resource, whatever it is doing. */
export function isLeased(kind: 'model' | 'training-job' | 'deployment', name: string): Promise<boolean> {
  return isOpen(leaseWorkflowId({ kind, name }));
}

/** Whether the workflow that tags name as creator is still running. */
export async function isCreatorRunning(tags: Readonly<Record<string, string>>): Promise<boolean> {
  const { 'anneal:workflow': workflowId, 'anneal:run': runId } = tags;
  if (!workflowId || !runId) return false;
  if (await isOpen(workflowId, runId)) return true;
  // A provider may refuse characters of an ID, and its tag then names another one: the run ID is exact.
  if (!/^[0-9a-f-]{36}$/.test(runId)) return false;
  const query = `RunId="${runId}" AND ExecutionStatus="Running"`;
  return (await getClient().workflow.count(query)).count > 0;
}

async function isOpen(workflowId: string, firstRunId?: string): Promise<boolean> {
  try {
    const { status, raw } = await getClient().workflow.getHandle(workflowId).describe();
    if (firstRunId && raw.workflowExecutionInfo?.firstRunId !== firstRunId) return false;
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
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
