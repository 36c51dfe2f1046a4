import { CreateTrainingJobCommand, ListTrainingJobsCommand } from '@aws-sdk/client-sagemaker';
import { afterAll } from 'vitest';
import { roleArn, storeDataset } from '../support/bedrock-training.js';
import {
  newInventory,
  newSageMakerProvider,
  sageMakerRequest,
  storeBaseModelStandIn,
  storeText,
} from '../support/sagemaker-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeTrainingProvider } from './training-provider.contract.js';

let sandbox: TestSandbox;

describeTrainingProvider('SageMaker', async () => {
  // A job takes three seconds: long enough to be seen and stopped on a busy machine.
  sandbox = await startTestSandbox({}, 1200);
  const clients = sandbox.newClients();
  const { sagemaker } = clients;
  const store = await newInventory(clients);
  await storeBaseModelStandIn(store);
  const training = await storeDataset(store, 'training-contract/train.jsonl');
  const validation = await storeDataset(store, 'training-contract/validation.jsonl');
  const broken = await storeText(store, 'training-contract/broken.jsonl', 'no JSON\n');
  const provider = newSageMakerProvider(clients, store);
  const request = async (jobName: string) => sageMakerRequest(provider, jobName, training, { validation });
  const manifest = async (jobName: string) => `${(await request(jobName)).outputUri}manifest.json`;
  return {
    newProvider: () => newSageMakerProvider(sandbox.newClients(), store),
    request,
    failingRequest: async (jobName) => sageMakerRequest(provider, jobName, broken),
    refusedRequest: async (jobName) => {
      const asked = await request(jobName);
      const settings = { ...asked.settings, baseModelUri: 's3://anneal-tests/nowhere/' };
      return { ...asked, settings };
    },
    startStrangersJob: async (jobName) => {
      await sagemaker.send(
        new CreateTrainingJobCommand({
          TrainingJobName: jobName,
          RoleArn: roleArn,
          AlgorithmSpecification: { TrainingImage: 'strangers', TrainingInputMode: 'File' },
          OutputDataConfig: { S3OutputPath: `s3://${store.bucket}/strangers` },
          ResourceConfig: { InstanceType: 'ml.m5.large', InstanceCount: 1, VolumeSizeInGB: 1 },
          StoppingCondition: { MaxRuntimeInSeconds: 86_400 },
        }),
      );
      // What a stranger keeps under such a name is no model of ours.
      await store.put(await manifest(jobName), '{}');
    },
    countJobs: async (jobName) => {
      const list = new ListTrainingJobsCommand({ NameContains: jobName, MaxResults: 100 });
      const { TrainingJobSummaries = [] } = await sagemaker.send(list);
      return TrainingJobSummaries.filter((job) => job.TrainingJobName === jobName).length;
    },
    countModels: async (modelName) => ((await store.head(await manifest(modelName))) ? 1 : 0),
    endsWithinMs: 60_000,
    jobUsdPerHour: 1.408,
  };
});

afterAll(() => sandbox?.close());
