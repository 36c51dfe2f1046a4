import {
  CreateModelCustomizationJobCommand,
  ListCustomModelsCommand,
  ListModelCustomizationJobsCommand,
} from '@aws-sdk/client-bedrock';
import { afterAll } from 'vitest';
import {
  baseModel,
  newObjectStore,
  newTrainingProvider,
  roleArn,
  storeDataset,
  trainingRequest,
} from '../support/bedrock-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeTrainingProvider } from './training-provider.contract.js';

let sandbox: TestSandbox;

describeTrainingProvider('Bedrock', async () => {
  sandbox = await startTestSandbox();
  const clients = sandbox.newClients();
  const { bedrock } = clients;
  const store = await newObjectStore(clients);
  const training = await storeDataset(store, 'training-contract/train.jsonl');
  const validation = await storeDataset(store, 'training-contract/validation.jsonl');
  const reserved = await storeDataset(store, 'training-contract/reserved.jsonl', () => 'Assistant: blue');
  const request = async (jobName: string) => trainingRequest(jobName, training, validation);
  return {
    newProvider: () => newTrainingProvider(sandbox.newClients()),
    request,
    failingRequest: async (jobName) => trainingRequest(jobName, reserved),
    refusedRequest: async (jobName) => ({ ...(await request(jobName)), baseModel: 'amazon.nova-nano-v1:0' }),
    startStrangersJob: async (jobName) => {
      await bedrock.send(
        new CreateModelCustomizationJobCommand({
          jobName,
          customModelName: jobName,
          roleArn,
          baseModelIdentifier: baseModel,
          trainingDataConfig: { s3Uri: training.uri },
          outputDataConfig: { s3Uri: `s3://${store.bucket}/strangers/` },
          hyperParameters: { epochCount: '1' },
        }),
      );
    },
    countJobs: async (jobName) => {
      const list = new ListModelCustomizationJobsCommand({ nameContains: jobName });
      const { modelCustomizationJobSummaries = [] } = await bedrock.send(list);
      return modelCustomizationJobSummaries.filter((job) => job.jobName === jobName).length;
    },
    countModels: async (modelName) => {
      const list = new ListCustomModelsCommand({ nameContains: modelName });
      const { modelSummaries = [] } = await bedrock.send(list);
      return modelSummaries.filter((model) => model.modelName === modelName).length;
    },
    endsWithinMs: 20_000,
  };
});

afterAll(() => sandbox?.close());
