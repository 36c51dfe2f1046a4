import { activityInfo } from '@temporalio/activity';
import type { Author } from './registry/registry.js';

/** The workflow that the present activity belongs to; empty where an activity runs by itself. */
export function currentWorkflow(): Author {
  const { workflowId = '', runId = '' } = activityInfo().workflowExecution ?? {};
  return { workflowId, runId };
}
