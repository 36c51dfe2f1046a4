import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectInventory, ObjectStore } from '../../src/activities/dataset/object-store.js';
import { createS3ObjectStore } from '../../src/activities/dataset/s3-object-store.js';
import type { TrainingProvider } from '../../src/activities/training/provider.js';
import { createSageMakerTrainingProvider } from '../../src/activities/training/sagemaker/provider.js';
import type { AwsClients } from '../../src/aws/clients.js';
import { loadPrices } from '../../src/aws/prices.js';
import { loadTrainingImages } from '../../src/aws/training-images.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { StoredFile } from '../../src/domain/dataset.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../src/domain/training-job.js';
import { roleArn, tags } from './bedrock-training.js';

export const baseModel = 'tiny';
export const trainingDirectory = join(repositoryRoot, 'training');
const prices = loadPrices('prices/aws.json');

export function newSageMakerProvider(
  { sagemaker }: AwsClients,
  objects: ObjectStore & ObjectInventory,
  role: string | null = roleArn,
): TrainingProvider {
  return createSageMakerTrainingProvider({
    sagemaker,
    objects,
    trainingDirectory,
    temporaryDirectory: tmpdir(),
    defaults: {
      roleArn: role,
      region: 'us-east-1',
      prices,
      images: loadTrainingImages('images/sagemaker.json'),
    },
  });
}

export async function newInventory({ s3 }: AwsClients): Promise<ObjectStore & ObjectInventory> {
  const store = createS3ObjectStore({ s3, bucket: 'anneal-tests' });
  await store.ensureBucket();
  return store;
}

/** Enough of a base model to be found; nothing real can be trained from it. */
export async function storeBaseModelStandIn(store: ObjectStore): Promise<void> {
  await store.put(`s3://${store.bucket}/base-models/${baseModel}/config.json`, '{}', 'application/json');
}

export async function storeText(store: ObjectStore, key: string, body: string): Promise<StoredFile> {
  const uri = `s3://${store.bucket}/${key}`;
  await store.put(uri, body, 'application/x-ndjson');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { uri, sha256, bytes: Buffer.byteLength(body), records: body.trimEnd().split('\n').length };
}

/** A complete request for a job that succeeds; settings and hyperparameters as the provider resolves them. */
export function sageMakerRequest(
  provider: TrainingProvider,
  jobName: string,
  training: StoredFile,
  given: {
    readonly settings?: Readonly<Record<string, unknown>>;
    readonly hyperparameters?: Readonly<Record<string, string | number>>;
    readonly validation?: StoredFile;
  } = {},
): TrainingJobRequest {
  const { hyperparameters, settings } = provider.resolve({
    baseModel,
    hyperparameters: { epochCount: 2, ...given.hyperparameters },
    settings: { ...given.settings },
    records: training.records,
  });
  return {
    provider: 'sagemaker',
    jobName,
    modelName: jobName,
    idempotencyToken: `${jobName}-training-1`,
    baseModel,
    hyperparameters,
    training,
    validation: given.validation ?? null,
    outputUri: `s3://anneal-tests/models/orders/jobs/${jobName}/`,
    tags: { ...tags, 'anneal:bucket': 'anneal-tests' },
    settings,
  };
}

/** Every different status on the way to the end. */
export async function followJob(
  provider: TrainingProvider,
  job: TrainingJobReference,
  withinMs: number,
): Promise<TrainingJobDescription[]> {
  const seen: TrainingJobDescription[] = [];
  const deadline = Date.now() + withinMs;
  for (;;) {
    const description = await provider.describe(job);
    if (seen.at(-1)?.rawStatus !== description.rawStatus) seen.push(description);
    if (isTerminal(description.status)) {
      seen[seen.length - 1] = description;
      return seen;
    }
    if (Date.now() > deadline) throw new Error(`${job.jobName} is still ${description.rawStatus}`);
    await sleep(20);
  }
}
