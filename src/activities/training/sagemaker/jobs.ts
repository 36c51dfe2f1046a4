import {
  DescribeTrainingJobCommand,
  type DescribeTrainingJobResponse,
  paginateListTags,
  type SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import type { TagReader } from '../../../aws/tags.js';
import { toFailure } from '../../../aws/to-failure.js';

export interface FoundJob extends DescribeTrainingJobResponse {
  readonly TrainingJobName: string;
  readonly TrainingJobArn: string;
}

/** Null when there is none. */
export async function getJob(sagemaker: SageMakerClient, jobName: string): Promise<FoundJob | null> {
  try {
    const job = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: jobName }));
    return job as FoundJob;
  } catch (error) {
    if (isUnknown(error)) return null;
    throw toFailure(error, `look for training job ${jobName}`);
  }
}

export function sageMakerTagReader(sagemaker: SageMakerClient): TagReader {
  return async (arn) => {
    const tags = new Map<string, string>();
    try {
      for await (const page of paginateListTags({ client: sagemaker }, { ResourceArn: arn })) {
        for (const { Key = '', Value = '' } of page.Tags ?? []) tags.set(Key, Value);
      }
      return tags;
    } catch (error) {
      if (isUnknown(error)) return null;
      throw toFailure(error, `read the tags of ${arn}`);
    }
  };
}

/** SageMaker declares `ResourceNotFound`, and answers a `ValidationException` in the same words. */
function isUnknown(error: unknown): boolean {
  const { name, message } = error as Error;
  if (name === 'ResourceNotFound') return true;
  return name === 'ValidationException' && /not found|does not exist|could not find/i.test(message);
}
