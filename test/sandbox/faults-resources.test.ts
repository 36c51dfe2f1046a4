import { rmSync } from 'node:fs';
import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteCustomModelDeploymentCommand,
  DeleteProvisionedModelThroughputCommand,
  GetCustomModelCommand,
  GetCustomModelDeploymentCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
  ListCustomModelDeploymentsCommand,
  ListCustomModelsCommand,
  ListProvisionedModelThroughputsCommand,
  StopModelCustomizationJobCommand,
  UpdateCustomModelDeploymentCommand,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { type FaultySandbox, openFaultySandbox } from './faults-support.js';
import { awaitJob, errorOf, jobRequest, temporaryDirectory } from './sandbox.js';

let sandbox: FaultySandbox;
let older: string;
let newer: string;

beforeAll(async () => {
  sandbox = await openFaultySandbox({
    clockScale: 36_000,
    settings: { quotas: { modelUnitsWithoutCommitment: 20, deploymentsInProgress: 20 } },
  });
  [older = '', newer = ''] = await Promise.all(['older', 'newer'].map((name) => sandbox.train(name)));
});
afterAll(() => sandbox.close());
beforeEach(() => sandbox.setFaults());

type OneFault = FaultScript['faults'][number]['fault'];
const befall = (operation: string, fault: OneFault) => sandbox.setFaults({ operation, nth: 1, fault });

const createJob = async (name: string) => {
  const request = await jobRequest(sandbox, name);
  const { jobArn = '' } = await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
  return jobArn;
};
const getJob = (jobIdentifier: string) =>
  sandbox.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier }));
const deploy = async (name: string, modelArn = older) => {
  const { customModelDeploymentArn = '' } = await sandbox.bedrock.send(
    new CreateCustomModelDeploymentCommand({ modelDeploymentName: name, modelArn }),
  );
  return customModelDeploymentArn;
};
const getDeployment = (customModelDeploymentIdentifier: string) =>
  sandbox.bedrock.send(new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier }));
const deleteDeployment = (customModelDeploymentIdentifier: string) =>
  sandbox.bedrock.send(new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier }));
const provision = async (name: string) => {
  const { provisionedModelArn = '' } = await sandbox.bedrock.send(
    new CreateProvisionedModelThroughputCommand({
      provisionedModelName: name,
      modelId: older,
      modelUnits: 1,
    }),
  );
  return provisionedModelArn;
};
const getThroughput = (provisionedModelId: string) =>
  sandbox.bedrock.send(new GetProvisionedModelThroughputCommand({ provisionedModelId }));
const ask = (modelId: string) =>
  sandbox.runtime.send(
    new ConverseCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Which colour?' }] }] }),
  );
const hours = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 100));
const becomes = (status: () => Promise<string | undefined>, wanted: string) =>
  expect.poll(status, { timeout: 20_000 }).toBe(wanted);

describe('a training job', () => {
  it('is not found by the first reads after its creation, by ARN or by name', async () => {
    await befall('CreateModelCustomizationJob', { kind: 'notFoundAfterCreate', reads: 2 });
    const jobArn = await createJob('hidden');
    const missing = { name: 'ResourceNotFoundException', status: 404 };
    expect(await errorOf(getJob(jobArn))).toMatchObject(missing);
    expect(await errorOf(getJob('hidden-job'))).toMatchObject(missing);
    expect(await getJob(jobArn)).toMatchObject({ jobArn });
  });

  it('that is stuck stays InProgress whatever the hour, and can be stopped', async () => {
    await befall('CreateModelCustomizationJob', { kind: 'stuck' });
    const jobArn = await createJob('stuck');
    const other = await createJob('beside');
    expect((await awaitJob(sandbox, other)).status).toBe('Completed');
    await hours(5);
    expect((await getJob(jobArn)).status).toBe('InProgress');
    await sandbox.bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: jobArn }));
    expect((await awaitJob(sandbox, jobArn)).status).toBe('Stopped');
  });

  it('that is stuck while it stops stays Stopping', async () => {
    await befall('StopModelCustomizationJob', { kind: 'stuck' });
    const jobArn = await createJob('stopping');
    await sandbox.bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: jobArn }));
    await hours(2);
    expect((await getJob(jobArn)).status).toBe('Stopping');
  });

  it('goes back once, and then on', async () => {
    await befall('CreateModelCustomizationJob', { kind: 'backwards' });
    const jobArn = await createJob('backwards');
    await becomes(async () => (await getJob(jobArn)).statusDetails?.validationDetails?.status, 'Completed');
    const back = await getJob(jobArn);
    expect(back.status).toBe('InProgress');
    expect(back.statusDetails?.validationDetails?.status).toBe('InProgress');
    expect((await getJob(jobArn)).statusDetails?.validationDetails?.status).toBe('Completed');
    expect((await awaitJob(sandbox, jobArn)).status).toBe('Completed');
  });

  it('fails with the message of the script, makes no model and costs nothing', async () => {
    const failureMessage = 'CapacityError: none left.';
    await befall('CreateModelCustomizationJob', { kind: 'jobFailed', failureMessage, afterMinutes: 30 });
    await sandbox.setClockScale(1);
    const jobArn = await createJob('failing');
    expect((await getJob(jobArn)).status).toBe('InProgress');
    await sandbox.setClockScale(36_000);
    expect(await awaitJob(sandbox, jobArn)).toMatchObject({ status: 'Failed', failureMessage });
    const entries = (await sandbox.ledger()).filter((entry) => entry.resource === jobArn);
    expect(entries.map((entry) => entry.action)).toEqual(['create', 'fail']);
    expect(entries.at(-1)?.usd).toBe(0);
  });

  it.each(['arn', 'model', 'both'] as const)('is Completed without its artifact: %s', async (missing) => {
    await befall('CreateModelCustomizationJob', { kind: 'completedWithoutArtifact', missing });
    const name = `without-${missing}`;
    const job = await awaitJob(sandbox, await createJob(name));
    expect(job.status).toBe('Completed');
    expect(job.outputModelArn === undefined).toBe(missing !== 'model');
    const { modelSummaries } = await sandbox.bedrock.send(
      new ListCustomModelsCommand({ nameContains: name }),
    );
    expect(modelSummaries).toHaveLength(missing === 'arn' ? 1 : 0);
    const get = sandbox.bedrock.send(new GetCustomModelCommand({ modelIdentifier: `${name}-model` }));
    if (missing === 'arn') expect((await get).modelStatus).toBe('Active');
    else expect(await errorOf(get)).toMatchObject({ name: 'ResourceNotFoundException' });
    if (missing === 'model') {
      expect(await errorOf(deploy(name, job.outputModelArn))).toMatchObject({
        name: 'ResourceNotFoundException',
      });
    }
    const models = (await sandbox.state()).resources.filter((each) => each.name === `${name}-model`);
    expect(models.some((each) => each.isLive)).toBe(missing === 'arn');
  });
});

describe('a deployment', () => {
  it('that is stuck stays Creating, answers nobody, bills, and can be deleted', async () => {
    await befall('CreateCustomModelDeployment', { kind: 'stuck' });
    const arn = await deploy('stuck');
    await hours(2);
    expect((await getDeployment(arn)).status).toBe('Creating');
    expect(await errorOf(ask(arn))).toMatchObject({ name: 'ModelNotReadyException' });
    await deleteDeployment(arn);
    expect(await errorOf(getDeployment(arn))).toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('fails with a message and answers nobody', async () => {
    await befall('CreateCustomModelDeployment', { kind: 'deploymentFailed', failureMessage: 'No room.' });
    const arn = await deploy('failing');
    await becomes(async () => (await getDeployment(arn)).status, 'Failed');
    expect((await getDeployment(arn)).failureMessage).toBe('No room.');
    const list = new ListCustomModelDeploymentsCommand({ nameContains: 'failing' });
    expect((await sandbox.bedrock.send(list)).modelDeploymentSummaries).toMatchObject([
      { status: 'Failed', failureMessage: 'No room.' },
    ]);
    expect(await errorOf(ask(arn))).toMatchObject({ name: 'ValidationException' });
    await deleteDeployment(arn);
    const again = await deploy('failing');
    await becomes(async () => (await getDeployment(again)).status, 'Active');
    await deleteDeployment(again);
  });

  it('goes back once from Active to Creating, and is hidden from its first read', async () => {
    await sandbox.setFaults(
      { operation: 'CreateCustomModelDeployment', nth: 1, fault: { kind: 'backwards' } },
      {
        operation: 'CreateCustomModelDeployment',
        nth: 1,
        fault: { kind: 'notFoundAfterCreate', reads: 1 },
      },
    );
    const arn = await deploy('back');
    expect(await errorOf(getDeployment(arn))).toMatchObject({ status: 404 });
    await becomes(async () => (await getDeployment(arn)).status, 'Active');
    expect((await getDeployment(arn)).status).toBe('Creating');
    expect((await getDeployment(arn)).status).toBe('Active');
    const { fates, log } = await sandbox.faults();
    expect(fates.filter((fate) => fate.resource === arn)).toEqual([]);
    expect(log.map((line) => [line.kind, line.operation])).toEqual([
      ['backwards', 'bedrock:CreateCustomModelDeployment'],
      ['notFoundAfterCreate', 'bedrock:CreateCustomModelDeployment'],
      ['notFoundAfterCreate', 'bedrock:GetCustomModelDeployment'],
      ['backwards', 'bedrock:GetCustomModelDeployment'],
    ]);
    await deleteDeployment(arn);
  });

  it('whose update fails goes on with the old model, and the next update works', async () => {
    const arn = await deploy('update');
    await becomes(async () => (await getDeployment(arn)).status, 'Active');
    const update = () =>
      sandbox.bedrock.send(
        new UpdateCustomModelDeploymentCommand({ customModelDeploymentIdentifier: arn, modelArn: newer }),
      );
    const updateStatus = async () => (await getDeployment(arn)).updateDetails?.updateStatus;
    await befall('UpdateCustomModelDeployment', { kind: 'deploymentFailed' });
    await update();
    await becomes(updateStatus, 'UpdateFailed');
    expect(await getDeployment(arn)).toMatchObject({
      status: 'Active',
      modelArn: older,
      updateDetails: { modelArn: newer },
    });
    await update();
    await becomes(updateStatus, 'UpdateCompleted');
    expect((await getDeployment(arn)).modelArn).toBe(newer);
    await befall('DeleteCustomModelDeployment', { kind: 'stuck' });
    await deleteDeployment(arn);
    await hours(1);
    expect((await getDeployment(arn)).status).toBe('Active');
    expect(await errorOf(deleteDeployment(arn))).toMatchObject({ name: 'ConflictException' });
  });
});

describe('a throughput', () => {
  it('fails, or is stuck, or does not get its new model', async () => {
    await befall('CreateProvisionedModelThroughput', { kind: 'deploymentFailed' });
    const failed = await provision('failed');
    await becomes(async () => (await getThroughput(failed)).status, 'Failed');
    const list = new ListProvisionedModelThroughputsCommand({ nameContains: 'failed' });
    expect((await sandbox.bedrock.send(list)).provisionedModelSummaries?.[0]?.status).toBe('Failed');

    const served = await provision('served');
    await becomes(async () => (await getThroughput(served)).status, 'InService');
    const update = new UpdateProvisionedModelThroughputCommand({
      provisionedModelId: served,
      desiredModelId: newer,
    });
    await befall('UpdateProvisionedModelThroughput', { kind: 'deploymentFailed', failureMessage: 'No.' });
    await sandbox.bedrock.send(update);
    await becomes(async () => (await getThroughput(served)).failureMessage, 'No.');
    expect(await getThroughput(served)).toMatchObject({
      status: 'InService',
      modelArn: older,
      desiredModelArn: newer,
    });
    await befall('UpdateProvisionedModelThroughput', { kind: 'stuck' });
    await sandbox.bedrock.send(update);
    await hours(2);
    expect(await getThroughput(served)).toMatchObject({ status: 'Updating', modelArn: older });
    for (const provisionedModelId of [failed, served]) {
      await sandbox.bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId }));
      expect(await errorOf(getThroughput(provisionedModelId))).toMatchObject({ status: 404 });
    }
  });
});

it('keeps fates, script, counts and log over a restart', async () => {
  const stateDirectory = temporaryDirectory();
  const open = (faults?: FaultScript) =>
    openFaultySandbox({ stateDirectory, clockScale: 36_000, ...(faults && { faults }) });
  const before = await open({
    faults: [
      { operation: 'CreateProvisionedModelThroughput', nth: 1, match: 'kept', fault: { kind: 'stuck' } },
      { operation: 'ListCustomModels', nth: [2, 3], fault: { kind: 'throttle' } },
    ],
  });
  await before.bedrock.send(new ListCustomModelsCommand({}));
  await before.bedrock.send(
    new CreateProvisionedModelThroughputCommand({
      provisionedModelName: 'kept',
      modelId: 'amazon.nova-micro-v1:0:128k',
      modelUnits: 1,
    }),
  );
  await before.close();
  const after = await open();
  await hours(3);
  const get = new GetProvisionedModelThroughputCommand({ provisionedModelId: 'kept' });
  expect((await after.bedrock.send(get)).status).toBe('Creating');
  const list = () => after.bedrock.send(new ListCustomModelsCommand({}));
  expect(await errorOf(list())).toMatchObject({ name: 'ThrottlingException' });
  // The second call of this rule was the first after the restart.
  const { faults, log, logged } = await after.faults();
  expect(faults).toMatchObject([
    { matched: 1, fired: 1, match: 'kept' },
    { matched: 2, fired: 1 },
  ]);
  expect(log.map(({ sequence, kind }) => [sequence, kind])).toEqual([
    [1, 'stuck'],
    [2, 'throttle'],
  ]);
  expect(logged).toBe(2);
  await fetch(`${after.endpoint}/_anneal/faults`, { method: 'DELETE' });
  await list();
  expect((await after.bedrock.send(get)).status).toBe('Creating');
  await after.close();
  rmSync(stateDirectory, { recursive: true, force: true });
});
