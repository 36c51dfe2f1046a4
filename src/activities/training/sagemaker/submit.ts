import type { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { adoptOrCreate } from '../../../aws/adopt-or-create.js';
import { hashRequest } from '../../../aws/tags.js';
import { PermanentFailure } from '../../../domain/failures.js';
import type { TrainingJobReference, TrainingJobRequest } from '../../../domain/training-job.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { requestUri } from './artifact.js';
import { storeCode } from './code-archive.js';
import { toCreateCommand } from './create-request.js';
import { getJob, sageMakerTagReader } from './jobs.js';
import type { SageMakerTrainingSettings } from './settings.js';

export interface SubmitOptions {
  readonly sagemaker: SageMakerClient;
  readonly objects: ObjectStore;
  readonly trainingDirectory: string;
}

/** See `TrainingProvider.submit`. SageMaker has no idempotency token: the job's name is one, and stays taken. */
export async function submitJob(
  { sagemaker, objects, trainingDirectory }: SubmitOptions,
  request: TrainingJobRequest,
  isCurrent: () => boolean,
): Promise<TrainingJobReference> {
  const { provider, jobName, modelName, idempotencyToken, tags: _, ...asked } = request;
  const requestHash = hashRequest({ provider, ...asked });
  const jobId = await adoptOrCreate(sageMakerTagReader(sagemaker), {
    kind: 'training job',
    name: jobName,
    idempotencyToken,
    requestHash,
    isCurrent,
    needs: null,
    find: async () => (await getJob(sagemaker, jobName))?.TrainingJobArn ?? null,
    create: async (abortSignal) => {
      await requireBaseModel(objects, request);
      const { folderUri: codeUri } = await storeCode(objects, trainingDirectory);
      // Before the job: what it makes is published and deleted by this.
      await objects.put(requestUri(request.outputUri), JSON.stringify(request, null, 2), 'application/json');
      if (!isCurrent())
        throw new Error(`This attempt to create training job ${jobName} was interrupted too long`);
      const command = toCreateCommand(request, { codeUri, requestHash });
      const { TrainingJobArn } = await sagemaker.send(command, { abortSignal });
      return TrainingJobArn as string;
    },
  });
  return { provider, jobName, modelName, jobId };
}

/** A job without its base model would be billed for finding that out. */
async function requireBaseModel(objects: ObjectStore, request: TrainingJobRequest): Promise<void> {
  const { baseModelUri } = request.settings as SageMakerTrainingSettings;
  if ((await objects.head(`${baseModelUri}config.json`)) !== null) return;
  const said = `ProviderRejected: could not start training job ${request.jobName}: there is no config.json in ${baseModelUri}. Upload the base model's Hugging Face folder there (\`aws s3 cp --recursive\`), or name another folder in training.settings.baseModelUri.`;
  throw new PermanentFailure('ProviderRejected', said, [{ jobName: request.jobName, baseModelUri }]);
}
