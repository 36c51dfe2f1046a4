import {
  CreateCustomModelDeploymentCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteCustomModelDeploymentCommand,
  DeleteProvisionedModelThroughputCommand,
  ListCustomModelDeploymentsCommand,
  ListProvisionedModelThroughputsCommand,
} from '@aws-sdk/client-bedrock';
import { afterAll } from 'vitest';
import { createBedrockOnDemandTarget } from '../../src/activities/deployment/bedrock-on-demand.js';
import { createBedrockProvisionedTarget } from '../../src/activities/deployment/bedrock-provisioned.js';
import { createBedrockInferenceClient } from '../../src/activities/inference/bedrock.js';
import type { AwsClients } from '../../src/aws/clients.js';
import type { DeploymentReference } from '../../src/domain/deployment.js';
import { prices, tags, trainModel } from '../support/bedrock-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeDeploymentTarget } from './deployment-target.contract.js';

const sandboxes: TestSandbox[] = [];

describeDeploymentTarget('Bedrock on demand', async () => {
  const { sandbox, clients, modelIds, shared } = await prepare();
  const { bedrock } = clients;
  const list = async () =>
    (await bedrock.send(new ListCustomModelDeploymentsCommand({}))).modelDeploymentSummaries ?? [];
  return {
    ...shared('bedrock-on-demand', {}),
    newTarget: () => createBedrockOnDemandTarget({ bedrock: sandbox.newClients().bedrock, prices }),
    createStrangers: async (name) => {
      await bedrock.send(
        new CreateCustomModelDeploymentCommand({ modelDeploymentName: name, modelArn: modelIds[0] }),
      );
    },
    count: async (name) => (await list()).filter((each) => each.customModelDeploymentName === name).length,
    deleteAll: async () => {
      for (const { customModelDeploymentArn: arn } of await list()) {
        await bedrock.send(new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier: arn }));
      }
    },
  };
});

describeDeploymentTarget('Bedrock provisioned throughput', async () => {
  const { sandbox, clients, modelIds, shared } = await prepare();
  const { bedrock } = clients;
  const list = async () =>
    (await bedrock.send(new ListProvisionedModelThroughputsCommand({}))).provisionedModelSummaries ?? [];
  return {
    ...shared('bedrock-provisioned', { modelUnits: 1 }),
    newTarget: () => createBedrockProvisionedTarget({ bedrock: sandbox.newClients().bedrock, prices }),
    createStrangers: async (name) => {
      await bedrock.send(
        new CreateProvisionedModelThroughputCommand({
          provisionedModelName: name,
          modelId: modelIds[0],
          modelUnits: 1,
        }),
      );
    },
    count: async (name) => (await list()).filter((each) => each.provisionedModelName === name).length,
    deleteAll: async () => {
      for (const { provisionedModelArn: arn } of await list()) {
        await bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId: arn }));
      }
    },
  };
});

afterAll(() => Promise.all(sandboxes.map((sandbox) => sandbox.close())));

/** A sandbox with two trained models, and what both targets' fixtures have in common. */
async function prepare() {
  const sandbox = await startTestSandbox();
  sandboxes.push(sandbox);
  const clients = sandbox.newClients();
  const modelIds = await Promise.all(['first', 'second'].map((name) => trainModel(clients, name)));
  const [modelId = '', otherModelId = ''] = modelIds;
  const request = (target: string, settings: Record<string, unknown>) => (name: string) => ({
    target,
    name,
    idempotencyToken: `${name}-deployment-1`,
    modelId,
    tags,
    settings,
  });
  const shared = (target: string, settings: Record<string, unknown>) => ({
    request: request(target, settings),
    refusedRequest: (name: string) => ({
      ...request(target, settings)(name),
      modelId: modelId.replace(/[a-z0-9]{12}$/, 'zzzzzzzzzzzz'),
    }),
    otherModelId,
    answers: (deployment: DeploymentReference) => answers(clients, deployment),
    readyWithinMs: 20_000,
  });
  return { sandbox, clients, modelIds, shared };
}

async function answers({ bedrockRuntime }: AwsClients, deployment: DeploymentReference): Promise<boolean> {
  const client = createBedrockInferenceClient({ bedrockRuntime });
  try {
    const answer = await client.ask({
      modelId: deployment.deploymentId,
      system: null,
      turns: [{ role: 'user', text: 'Which colour has item 1?' }],
      maxTokens: 20,
      temperature: 0,
    });
    return answer.text !== '';
  } catch {
    return false;
  }
}
