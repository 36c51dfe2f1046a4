import { workflowInfo } from '@temporalio/workflow';
import { didYouMean } from '../domain/parse-input.js';
import { failWith } from './failures.js';
import { workflowTypes } from './messages.js';

/** Without this, an unknown workflow type would retry its first task for ever. */
export async function unknownWorkflowType(..._input: unknown[]): Promise<never> {
  const { workflowType } = workflowInfo();
  const hint = didYouMean(workflowType, workflowTypes);
  throw failWith(
    'InvalidInput',
    `--type: found "${workflowType}"; allowed: ${workflowTypes.join(', ')}.${hint ? ` Did you mean "${hint}"?` : ''}`,
  );
}
