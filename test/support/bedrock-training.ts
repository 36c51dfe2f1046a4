import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectStore } from '../../src/activities/dataset/object-store.js';
import { createS3ObjectStore } from '../../src/activities/dataset/s3-object-store.js';
import { createBedrockTrainingProvider } from '../../src/activities/training/bedrock.js';
import type { AwsClients } from '../../src/aws/clients.js';
import { loadPrices } from '../../src/aws/prices.js';
import type { StoredFile } from '../../src/domain/dataset.js';
import { isTerminal, type TrainingJobRequest } from '../../src/domain/training-job.js';

export const baseModel = 'amazon.nova-micro-v1:0:128k';
export const roleArn = 'arn:aws:iam::000000000000:role/AnnealSandbox';
export const prices = loadPrices('prices/aws.json');
export const tags = { 'anneal:owner': 'anneal', 'anneal:workflow': 'fine-tune/tests', 'anneal:run': 'run-1' };

/** The provider that the tests train with, on these clients. */
export function newTrainingProvider({ bedrock }: AwsClients) {
  return createBedrockTrainingProvider({ bedrock, prices, defaults: { roleArn } });
}

export async function newObjectStore({ s3 }: AwsClients): Promise<ObjectStore> {
  const store = createS3ObjectStore({ s3, bucket: 'anneal-tests' });
  await store.ensureBucket();
  return store;
}

/** Sixteen conversations about colours, or as many of what `answer` says. */
export async function storeDataset(
  store: ObjectStore,
  key: string,
  answer: (number: number) => string = (number) => `The colour of item ${number} is blue.`,
): Promise<StoredFile> {
  const lines = Array.from({ length: 16 }, (_, number) =>
    JSON.stringify({
      schemaVersion: 'bedrock-conversation-2024',
      system: [{ text: 'Answer in one sentence.' }],
      messages: [
        { role: 'user', content: [{ text: `Which colour has item ${number}?` }] },
        { role: 'assistant', content: [{ text: answer(number) }] },
      ],
    }),
  );
  const body = `${lines.join('\n')}\n`;
  const uri = `s3://${store.bucket}/${key}`;
  await store.put(uri, body, 'application/x-ndjson');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { uri, sha256, bytes: Buffer.byteLength(body), records: lines.length };
}

/** A complete request for a job that succeeds. */
export function trainingRequest(jobName: string, training: StoredFile, validation: StoredFile | null = null) {
  return {
    provider: 'bedrock',
    jobName,
    modelName: jobName,
    idempotencyToken: `${jobName}-training-1`,
    baseModel,
    hyperparameters: { epochCount: '2', learningRate: '0.00001', learningRateWarmupSteps: '0' },
    training,
    validation,
    outputUri: `${training.uri.slice(0, training.uri.lastIndexOf('/'))}/output/`,
    tags,
    settings: { roleArn },
  } satisfies TrainingJobRequest;
}

/** Trains a model to its end and returns its ARN. */
export async function trainModel(clients: AwsClients, jobName: string): Promise<string> {
  const provider = newTrainingProvider(clients);
  const training = await storeDataset(await newObjectStore(clients), `${jobName}/train.jsonl`);
  const job = await provider.submit(trainingRequest(jobName, training));
  for (;;) {
    const description = await provider.describe(job);
    if (description.modelId) return description.modelId;
    if (isTerminal(description.status)) throw new Error(`${jobName}: ${description.failureMessage}`);
    await sleep(20);
  }
}
