import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteCustomModelDeploymentCommand,
  DeleteProvisionedModelThroughputCommand,
  GetCustomModelDeploymentCommand,
  GetProvisionedModelThroughputCommand,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseReadings } from '../../src/sandbox/readings.js';
import { type FaultySandbox, openFaultySandbox } from './faults-support.js';
import { errorOf, jobRequest } from './sandbox.js';

const suffixed = 'amazon.nova-micro-v1:0:128k';

/** The same questions under the usual readings and under the others. */
describe.each([
  ['the usual readings', '{}', false],
  [
    'the other readings',
    JSON.stringify({
      tokenWithOtherParameters: 'validation-error',
      tokenOfDeletedResource: 'new-resource',
      invokeWhileUpdating: 'not-ready',
      suffixedBaseModelOnDemand: 'validation-error',
      deletionMinutes: 30,
    }),
    true,
  ],
])('under %s', (_, readings, isOther) => {
  let sandbox: FaultySandbox;
  let models: string[];
  beforeAll(async () => {
    sandbox = await openFaultySandbox({ clockScale: 36_000, settings: parseReadings(readings) });
    models = await Promise.all(['one', 'two'].map((name) => sandbox.train(name)));
    await sandbox.setClockScale(3600);
  });
  afterAll(() => sandbox.close());

  const provision = (name: string) =>
    sandbox.bedrock.send(
      new CreateProvisionedModelThroughputCommand({
        provisionedModelName: name,
        modelId: models[0],
        modelUnits: 1,
        clientRequestToken: 'the-token',
      }),
    );
  const ask = (modelId: string) =>
    sandbox.runtime.send(
      new ConverseCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Which colour?' }] }] }),
    );

  it('2: a token with other parameters', async () => {
    const request = await jobRequest(sandbox, 'token');
    const create = (jobName: string) =>
      sandbox.bedrock.send(new CreateModelCustomizationJobCommand({ ...request, jobName }));
    const { jobArn } = await create('first');
    if (isOther) expect(await errorOf(create('second'))).toMatchObject({ name: 'ValidationException' });
    else expect((await create('second')).jobArn).toBe(jobArn);
  });

  it('3 and 14: the token of a deleted throughput, and questions while one is updating', async () => {
    const { provisionedModelArn: arn = '' } = await provision('served');
    const get = new GetProvisionedModelThroughputCommand({ provisionedModelId: arn });
    const status = async () => (await sandbox.bedrock.send(get)).status;
    await expect.poll(status, { timeout: 5000 }).toBe('InService');
    await sandbox.setClockScale(1);
    await sandbox.bedrock.send(
      new UpdateProvisionedModelThroughputCommand({ provisionedModelId: arn, desiredModelId: models[1] }),
    );
    expect(await status()).toBe('Updating');
    if (isOther) {
      expect(await errorOf(ask(arn))).toMatchObject({ name: 'ModelNotReadyException', status: 429 });
    } else {
      expect((await ask(arn)).stopReason).toBeDefined();
    }
    await sandbox.setClockScale(3600);
    await sandbox.bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId: arn }));
    // Until then its name is taken.
    await expect.poll(() => status().catch(() => 'gone'), { timeout: 5000 }).toBe('gone');
    const again = (await provision('served')).provisionedModelArn;
    if (isOther) expect(again).not.toBe(arn);
    else expect(again).toBe(arn);
    const live = (await sandbox.state()).resources.filter(
      (each) => each.kind === 'provisionedThroughput' && each.isLive,
    );
    expect(live).toHaveLength(isOther ? 1 : 0);
  });

  it('13: what is seen of a deleted deployment', async () => {
    const { customModelDeploymentArn: arn } = await sandbox.bedrock.send(
      new CreateCustomModelDeploymentCommand({ modelDeploymentName: 'gone', modelArn: models[0] }),
    );
    const identifier = { customModelDeploymentIdentifier: arn };
    const get = () => sandbox.bedrock.send(new GetCustomModelDeploymentCommand(identifier));
    const remove = () => sandbox.bedrock.send(new DeleteCustomModelDeploymentCommand(identifier));
    await sandbox.setClockScale(1);
    await remove();
    const { resources } = await sandbox.state();
    expect(resources.find((each) => each.resource === arn)).toMatchObject({ isLive: false, usdPerHour: 0 });
    if (isOther) {
      expect((await get()).customModelDeploymentArn).toBe(arn);
      expect(await errorOf(remove())).toMatchObject({ name: 'ConflictException', status: 400 });
      await sandbox.setClockScale(3600);
    }
    const isGone = async () => (await errorOf(get())).name;
    await expect
      .poll(() => isGone().catch(() => 'still there'), { timeout: 5000 })
      .toBe('ResourceNotFoundException');
  });

  it('17: a base model with its context suffix, on demand', async () => {
    const error = { name: 'ValidationException', status: 400 };
    if (isOther) expect(await errorOf(ask(suffixed))).toMatchObject(error);
    else expect((await ask(suffixed)).stopReason).toBeDefined();
    expect((await ask('amazon.nova-micro-v1:0')).stopReason).toBeDefined();
  });
});
