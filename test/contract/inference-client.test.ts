import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { createBedrockOnDemandTarget } from '../../src/activities/deployment/bedrock-on-demand.js';
import { createBedrockInferenceClient } from '../../src/activities/inference/bedrock.js';
import { prices, tags, trainModel } from '../support/bedrock-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeInferenceClient } from './inference-client.contract.js';

let sandbox: TestSandbox;

describeInferenceClient('Bedrock', async () => {
  sandbox = await startTestSandbox();
  const clients = sandbox.newClients();
  const target = createBedrockOnDemandTarget({ bedrock: clients.bedrock, prices });
  const deployment = await target.create({
    target: target.name,
    name: 'inference-contract',
    idempotencyToken: 'inference-contract',
    modelId: await trainModel(clients, 'inference-contract'),
    tags,
    settings: {},
  });
  while ((await target.describe(deployment))?.status !== 'ready') await sleep(20);
  return {
    client: createBedrockInferenceClient(clients),
    modelId: deployment.deploymentId,
    unknownModelId: deployment.deploymentId.replace(/[a-z0-9]{12}$/, 'zzzzzzzzzzzz'),
    question: {
      system: 'Answer in one sentence.',
      turns: [{ role: 'user', text: 'Which colour has item 3?' }],
    },
  };
});

afterAll(() => sandbox?.close());
