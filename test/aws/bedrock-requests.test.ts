import {
  type BedrockClient,
  GetCustomModelDeploymentCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
  ListTagsForResourceCommand,
} from '@aws-sdk/client-bedrock';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBedrockOnDemandTarget } from '../../src/activities/deployment/bedrock-on-demand.js';
import { createBedrockProvisionedTarget } from '../../src/activities/deployment/bedrock-provisioned.js';
import type { AwsClients } from '../../src/aws/clients.js';
import type { StoredFile } from '../../src/domain/dataset.js';
import {
  newObjectStore,
  newTrainingProvider,
  prices,
  storeDataset,
  tags,
  trainingRequest,
  trainModel,
} from '../support/bedrock-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';

let sandbox: TestSandbox;
let clients: AwsClients;
let training: StoredFile;
let modelId: string;

beforeAll(async () => {
  sandbox = await startTestSandbox();
  clients = sandbox.newClients();
  training = await storeDataset(await newObjectStore(clients), 'requests/train.jsonl');
  modelId = await trainModel(clients, 'requests');
});

afterAll(() => sandbox.close());

/** Sixteen hexadecimal digits of everything that was asked for. */
const hash = expect.stringMatching(/^[0-9a-f]{16}$/);

describe('a training job on Bedrock', () => {
  test('is started with everything that the request says', async () => {
    const settings = {
      roleArn: 'arn:aws:iam::000000000000:role/Other',
      vpcConfig: { subnetIds: ['subnet-1a'], securityGroupIds: ['sg-2b'] },
      kmsKeyId: 'arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012',
    };
    const request = { ...trainingRequest('complete', training, training), settings };
    const { jobId } = await newTrainingProvider(clients).submit(request);
    const job = await clients.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: jobId }));
    expect(job).toMatchObject({
      jobName: 'complete',
      outputModelName: 'complete',
      roleArn: settings.roleArn,
      clientRequestToken: request.idempotencyToken,
      customizationType: 'FINE_TUNING',
      trainingDataConfig: { s3Uri: training.uri },
      validationDataConfig: { validators: [{ s3Uri: training.uri }] },
      outputDataConfig: { s3Uri: request.outputUri },
      hyperParameters: request.hyperparameters,
      vpcConfig: settings.vpcConfig,
      outputModelKmsKeyArn: settings.kmsKeyId,
    });
    expect(await tagsOf(jobId)).toEqual({
      ...tags,
      'anneal:token': request.idempotencyToken,
      'anneal:request': hash,
    });
  });

  test('marks its model with the same tags, so that the model is known as ours', async () => {
    expect(await tagsOf(modelId)).toEqual({
      ...tags,
      'anneal:token': 'requests-training-1',
      'anneal:request': hash,
    });
  });

  test('whose first reply is lost is adopted in the same call', async () => {
    const losing = losingReplies(sandbox.newClients(), 'CreateModelCustomizationJobCommand');
    const job = await newTrainingProvider(losing).submit(trainingRequest('lost-reply', training));
    expect(losing.lost()).toBe(1);
    expect(await newTrainingProvider(clients).find('lost-reply')).toEqual(job);
  });

  test('that was refused is not adopted from thin air', async () => {
    const request = {
      ...trainingRequest('no-data', training),
      training: { ...training, uri: `${training.uri}x` },
    };
    await expect(newTrainingProvider(clients).submit(request)).rejects.toMatchObject({
      type: 'ProviderRejected',
      details: [expect.objectContaining({ code: 'ValidationException', status: 400 })],
    });
  });

  test('tells people which phase it is in', async () => {
    const provider = newTrainingProvider(clients);
    const job = await provider.submit(trainingRequest('phases', training));
    expect((await provider.describe(job)).progress).toMatch(
      /^validation (in progress|completed), data processing/,
    );
  });
});

describe('a deployment on Bedrock', () => {
  test('on demand carries name, model and tags, and survives a lost reply', async () => {
    const losing = losingReplies(sandbox.newClients(), 'CreateCustomModelDeploymentCommand');
    const target = createBedrockOnDemandTarget({ bedrock: losing.bedrock, prices });
    const { deploymentId } = await target.create(deploymentRequest('on-demand', {}));
    expect(losing.lost()).toBe(1);
    const get = new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier: deploymentId });
    expect(await clients.bedrock.send(get)).toMatchObject({
      modelDeploymentName: 'on-demand',
      modelArn: modelId,
    });
    expect(await tagsOf(deploymentId)).toEqual({
      ...tags,
      'anneal:token': 'on-demand-deployment-1',
      'anneal:request': hash,
    });
  });

  test('provisioned carries its units, no commitment and tags, and survives a lost reply', async () => {
    const losing = losingReplies(sandbox.newClients(), 'CreateProvisionedModelThroughputCommand');
    const target = createBedrockProvisionedTarget({ bedrock: losing.bedrock, prices });
    const { deploymentId } = await target.create(deploymentRequest('provisioned', { modelUnits: 2 }));
    expect(losing.lost()).toBe(1);
    const get = new GetProvisionedModelThroughputCommand({ provisionedModelId: deploymentId });
    const throughput = await clients.bedrock.send(get);
    expect(throughput).toMatchObject({ provisionedModelName: 'provisioned', modelUnits: 2 });
    expect(throughput.commitmentDuration).toBeUndefined();
    expect(await tagsOf(deploymentId)).toEqual({
      ...tags,
      'anneal:token': 'provisioned-deployment-1',
      'anneal:request': hash,
    });
    await target.delete('provisioned');
  });

  test('keeps its model from being deleted until it is gone', async () => {
    const target = createBedrockOnDemandTarget({ bedrock: clients.bedrock, prices });
    const served = await trainModel(clients, 'in-use');
    await target.create({ ...deploymentRequest('in-use', {}), modelId: served });
    const provider = newTrainingProvider(clients);
    const refusal = await provider.deleteModel('in-use').catch((error: Error) => error);
    expect(refusal).toMatchObject({ message: expect.stringContaining('in use') });
    // Not for good: once the deployment is gone, the same call succeeds.
    expect(refusal).not.toHaveProperty('type');
    await target.delete('in-use');
    await provider.deleteModel('in-use');
  });
});

function deploymentRequest(name: string, settings: Record<string, unknown>) {
  return { target: '', name, idempotencyToken: `${name}-deployment-1`, modelId, tags, settings };
}

async function tagsOf(arn: string): Promise<Record<string, string>> {
  const { tags: found = [] } = await clients.bedrock.send(
    new ListTagsForResourceCommand({ resourceARN: arn }),
  );
  return Object.fromEntries(found.map(({ key = '', value = '' }) => [key, value]));
}

/** The clients, but the first reply to a command breaks off after the service has carried it out. */
function losingReplies<T extends { bedrock: BedrockClient }>(made: T, commandName: string) {
  let lost = 0;
  made.bedrock.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      if (context.commandName !== commandName || lost > 0) return result;
      lost += 1;
      throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    },
    { step: 'initialize', name: 'loseReply', priority: 'high' },
  );
  return { ...made, lost: () => lost };
}
