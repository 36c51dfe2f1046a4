/**
 * Names of paid resources. They derive from the run's key (a hash of workflow ID and original run ID, see
 * `activities/run-spec/resolve.ts`), the stage and the attempt held in workflow state: never from time,
 * chance or an activity's attempt, so that a retry, a new worker or a reset finds what exists.
 */
export interface ResourceName {
  readonly name: string;
  readonly idempotencyToken: string;
}

/** At most 40 + 1 + 10 + 3 characters of `[a-z0-9-]`: fits every provider's pattern. */
export function trainingJobName(model: string, runKey: string, attempt: number): ResourceName {
  return { name: `${model}-${runKey}-t${attempt}`, idempotencyToken: `${runKey}-training-${attempt}` };
}

export function deploymentName(model: string, runKey: string, attempt: number): ResourceName {
  return { name: `${model}-${runKey}-d${attempt}`, idempotencyToken: `${runKey}-deployment-${attempt}` };
}

/** Where a training job writes; deleted with its model. */
export function trainingOutputUri(bucket: string, model: string, jobName: string): string {
  return `s3://${bucket}/models/${model}/jobs/${jobName}/`;
}

/** Datasets lie under their own content hash, so that building the same one again adds nothing. */
export function datasetPrefix(bucket: string, model: string): string {
  return `s3://${bucket}/models/${model}/datasets`;
}

/** Answers and reports of a run's validation; kept when the model is gone. */
export function validationPrefix(bucket: string, model: string, runKey: string): string {
  return `s3://${bucket}/models/${model}/validations/${runKey}`;
}

/** Tags that every paid resource carries; the sweep deletes nothing without them. */
export function ownershipTags(input: {
  workflowId: string;
  runId: string;
  model: string;
  stage: string;
  /** Where this installation keeps its files: two of them in one account leave each other's resources alone. */
  bucket: string;
}): Record<string, string> {
  return {
    'anneal:owner': 'anneal',
    'anneal:workflow': input.workflowId,
    'anneal:run': input.runId,
    'anneal:model': input.model,
    'anneal:stage': input.stage,
    'anneal:bucket': input.bucket,
  };
}
