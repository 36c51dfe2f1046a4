import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteCustomModelCommand,
  DeleteCustomModelDeploymentCommand,
  DeleteProvisionedModelThroughputCommand,
  GetCustomModelCommand,
  GetCustomModelDeploymentCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
  ListCustomModelsCommand,
  StopModelCustomizationJobCommand,
  UpdateCustomModelDeploymentCommand,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  awaitCondition,
  awaitJob,
  baseModel,
  createJob,
  errorOf,
  exampleRecords,
  jobRequest,
  openSandbox,
  putText,
  type SandboxLedger,
  type SandboxState,
  type TestSandbox,
  toJsonl,
} from './sandbox.js';

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

const ask = (modelId: string, text: string, temperature = 0) =>
  sandbox.runtime.send(
    new ConverseCommand({
      modelId,
      system: [{ text: 'You name the colour of things.' }],
      messages: [{ role: 'user', content: [{ text }] }],
      inferenceConfig: { maxTokens: 100, temperature },
    }),
  );

const deploy = async (name: string, modelArn: string | undefined) => {
  const { customModelDeploymentArn: arn = '' } = await sandbox.bedrock.send(
    new CreateCustomModelDeploymentCommand({ modelDeploymentName: name, modelArn }),
  );
  const status = async () =>
    (
      await sandbox.bedrock.send(
        new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier: arn }),
      )
    ).status;
  expect(await status()).toBe('Creating');
  return { arn, ready: () => awaitCondition(async () => (await status()) === 'Active', 'the deployment') };
};

const serve = async (name: string, modelId: string | undefined) => {
  const { provisionedModelArn: arn = '' } = await sandbox.bedrock.send(
    new CreateProvisionedModelThroughputCommand({
      provisionedModelName: name,
      modelId,
      modelUnits: 1,
      tags: [{ key: 'owner', value: 'test' }],
    }),
  );
  const get = () =>
    sandbox.bedrock.send(new GetProvisionedModelThroughputCommand({ provisionedModelId: arn }));
  const inService = () => awaitCondition(async () => (await get()).status === 'InService', 'the throughput');
  return { arn, get, inService };
};

describe('a fine-tuned model', () => {
  it('goes from data over a job and a deployment to answers, with its metrics in S3', async () => {
    const validation = await putText(
      sandbox,
      'story/validation.jsonl',
      toJsonl(exampleRecords(50).slice(40)),
    );
    const jobArn = await createJob(sandbox, 'story', {
      validationDataConfig: { validators: [{ s3Uri: validation }] },
      jobTags: [{ key: 'run', value: 'one' }],
    });
    const first = await sandbox.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }));
    expect(first.status).toBe('InProgress');
    expect(first.statusDetails?.trainingDetails?.status).toBe('NotStarted');
    expect(first.outputModelArn).toBeUndefined();
    const seen = new Set<string>();
    await awaitCondition(async () => {
      const job = await sandbox.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }));
      const { validationDetails, dataProcessingDetails, trainingDetails } = job.statusDetails ?? {};
      seen.add(
        [validationDetails, dataProcessingDetails, trainingDetails].map((each) => each?.status).join(),
      );
      return job.status === 'Completed';
    }, 'the job');
    expect(seen).toContain('InProgress,NotStarted,NotStarted');
    expect(seen).toContain('Completed,InProgress,NotStarted');
    expect(seen).toContain('Completed,Completed,Completed');
    const job = await awaitJob(sandbox, jobArn);
    expect(job.outputModelName).toBe('story-model');
    expect(job.trainingMetrics?.trainingLoss).toBeGreaterThan(0);
    expect(job.validationMetrics?.[0]?.validationLoss).toBeGreaterThan(0);
    expect(job.endTime?.getTime()).toBeGreaterThan(job.creationTime?.getTime() ?? Number.POSITIVE_INFINITY);
    const jobId = jobArn.split('/').at(-1);
    const read = async (name: string) => {
      const Key = `story/output/model-customization-job-${jobId}/${name}`;
      const object = await sandbox.s3.send(new GetObjectCommand({ Bucket: 'data', Key }));
      return (await object.Body?.transformToString())?.split('\n') ?? [];
    };
    const steps = await read('training_artifacts/step_wise_training_metrics.csv');
    expect(steps[0]).toBe('step_number,epoch_number,training_loss,perplexity');
    expect(steps.length).toBeGreaterThan(2);
    const losses = await read('validation_artifacts/post_fine_tuning_validation/validation_metrics.csv');
    expect(losses[0]).toBe('step_number,epoch_number,validation_loss,perplexity');

    const model = await sandbox.bedrock.send(
      new GetCustomModelCommand({ modelIdentifier: job.outputModelArn }),
    );
    expect(model).toMatchObject({ modelName: 'story-model', modelStatus: 'Active', jobArn });
    const { modelSummaries } = await sandbox.bedrock.send(
      new ListCustomModelsCommand({ nameContains: 'story' }),
    );
    expect(modelSummaries?.map((each) => each.modelName)).toEqual(['story-model']);

    await sandbox.setClockScale(1);
    const deployment = await deploy('story', job.outputModelArn);
    const early = await errorOf(ask(deployment.arn, 'Item 7 is a blue coat. Which colour is it?'));
    expect(early).toMatchObject({ name: 'ModelNotReadyException', status: 429 });
    await sandbox.setClockScale(3600);
    await deployment.ready();
    const question = 'Item 99 is a blue coat. Which colour is it?';
    const answer = await ask(deployment.arn, question);
    expect(answer.output?.message?.content?.[0]?.text).toContain('The coat is');
    expect(answer.stopReason).toBe('end_turn');
    expect(answer.usage?.totalTokens).toBe(
      (answer.usage?.inputTokens ?? 0) + (answer.usage?.outputTokens ?? 0),
    );
    expect(answer.metrics?.latencyMs).toBeGreaterThan(0);
    expect((await ask(deployment.arn, question, 0.9)).output).toEqual(
      (await ask(deployment.arn, question, 0.9)).output,
    );
    const base = await ask('amazon.nova-micro-v1:0', question);
    expect(base.output?.message?.content?.[0]?.text).not.toBe(answer.output?.message?.content?.[0]?.text);

    const invoked = await sandbox.runtime.send(
      new InvokeModelCommand({
        modelId: deployment.arn,
        contentType: 'application/json',
        body: JSON.stringify({
          system: [{ text: 'You name the colour of things.' }],
          messages: [{ role: 'user', content: [{ text: question }] }],
          inferenceConfig: { maxTokens: 100, temperature: 0 },
        }),
      }),
    );
    const body = JSON.parse(invoked.body.transformToString());
    expect(body.output).toEqual(answer.output);
    expect(body.usage).toEqual(answer.usage);

    const remove = new DeleteCustomModelCommand({ modelIdentifier: 'story-model' });
    expect(await errorOf(sandbox.bedrock.send(remove))).toMatchObject({
      name: 'ConflictException',
      status: 400,
    });
    await sandbox.bedrock.send(
      new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier: deployment.arn }),
    );
    expect(await errorOf(ask(deployment.arn, question))).toMatchObject({ name: 'ResourceNotFoundException' });
    await sandbox.bedrock.send(remove);
    expect(
      await errorOf(sandbox.bedrock.send(new GetCustomModelCommand({ modelIdentifier: job.outputModelArn }))),
    ).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });

    const state = await sandbox.admin<SandboxState>('/_anneal/state');
    const spent = state.resources.find((each) => each.resource === deployment.arn);
    expect(spent).toMatchObject({ isLive: false, requests: 4, usdPerHour: 0 });
    expect(spent?.usd).toBeGreaterThan(0);
    expect(state.resources.find((each) => each.resource === jobArn)).toMatchObject({
      status: 'Completed',
      tags: { run: 'one' },
    });
    expect(state.resources.find((each) => each.resource === jobArn)?.usd).toBeGreaterThan(0);
  });

  it('is swapped in place on throughput and deployment, and the hours of the throughput are billed', async () => {
    const [older, newer] = await Promise.all(
      ['older', 'newer'].map(async (name) => awaitJob(sandbox, await createJob(sandbox, name))),
    );
    const throughput = await serve('swap', older?.outputModelArn);
    expect(await throughput.get()).toMatchObject({ status: 'Creating', modelUnits: 1 });
    await throughput.inService();
    const question = 'Item 3 is a white coat. Which colour is it?';
    const before = await ask(throughput.arn, question);
    expect(before.output?.message?.content?.[0]?.text).toContain('The coat is');
    await sandbox.bedrock.send(
      new UpdateProvisionedModelThroughputCommand({
        provisionedModelId: throughput.arn,
        desiredModelId: newer?.outputModelArn,
      }),
    );
    expect(await throughput.get()).toMatchObject({
      status: 'Updating',
      modelArn: older?.outputModelArn,
      desiredModelArn: newer?.outputModelArn,
    });
    await ask(throughput.arn, question);
    await throughput.inService();
    expect(await throughput.get()).toMatchObject({
      modelArn: newer?.outputModelArn,
      desiredModelArn: newer?.outputModelArn,
    });
    await sandbox.bedrock.send(new DeleteCustomModelCommand({ modelIdentifier: 'older-model' }));

    const live = await sandbox.admin<SandboxState>('/_anneal/state');
    expect(live.usdPerHour).toBeGreaterThanOrEqual(60);
    await sandbox.bedrock.send(
      new DeleteProvisionedModelThroughputCommand({ provisionedModelId: throughput.arn }),
    );
    expect(await errorOf(throughput.get())).toMatchObject({ name: 'ResourceNotFoundException' });
    const { entries, simulated } = await sandbox.admin<SandboxLedger>('/_anneal/ledger');
    expect(simulated).toBe(true);
    const lines = entries.filter((entry) => entry.resource === throughput.arn);
    expect(lines.map((entry) => entry.action)).toEqual(['create', 'update', 'delete']);
    expect(lines[0]).toMatchObject({ usdPerHour: 60, tags: { owner: 'test' } });
    const closed = lines[2];
    const hours = (Date.parse(closed?.at ?? '') - Date.parse(lines[0]?.at ?? '')) / 3_600_000;
    expect(closed?.hoursBilled).toBeCloseTo(hours, 6);
    expect(closed?.usd).toBeCloseTo(hours * 60, 4);
    const after = await sandbox.admin<SandboxState>('/_anneal/state');
    expect(after.resources.find((each) => each.resource === throughput.arn)).toMatchObject({
      isLive: false,
      usdPerHour: 0,
    });

    const third = await awaitJob(sandbox, await createJob(sandbox, 'third'));
    const deployment = await deploy('swap', newer?.outputModelArn);
    await deployment.ready();
    await sandbox.bedrock.send(
      new UpdateCustomModelDeploymentCommand({
        customModelDeploymentIdentifier: deployment.arn,
        modelArn: third.outputModelArn,
      }),
    );
    const get = () =>
      sandbox.bedrock.send(
        new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier: deployment.arn }),
      );
    expect(await get()).toMatchObject({ status: 'Active', updateDetails: { updateStatus: 'Updating' } });
    await awaitCondition(
      async () => (await get()).updateDetails?.updateStatus === 'UpdateCompleted',
      'the update',
    );
    expect((await get()).modelArn).toBe(third.outputModelArn);
  });
});

describe('a training job', () => {
  it('that is stopped ends as Stopped without a model, and its trained share is billed', async () => {
    const jobArn = await createJob(sandbox, 'stopped');
    await awaitCondition(async () => {
      const job = await sandbox.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }));
      return job.statusDetails?.dataProcessingDetails?.status === 'InProgress';
    }, 'data processing');
    const stop = new StopModelCustomizationJobCommand({ jobIdentifier: jobArn });
    await sandbox.setClockScale(1);
    await sandbox.bedrock.send(stop);
    const stopping = await sandbox.bedrock.send(
      new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }),
    );
    expect(stopping.status).toBe('Stopping');
    expect(await errorOf(sandbox.bedrock.send(stop))).toMatchObject({ name: 'ConflictException' });
    await sandbox.setClockScale(3600);
    const job = await awaitJob(sandbox, jobArn);
    expect(job.status).toBe('Stopped');
    expect(job.outputModelArn).toBeUndefined();
    const { modelSummaries } = await sandbox.bedrock.send(
      new ListCustomModelsCommand({ nameContains: 'stopped' }),
    );
    expect(modelSummaries).toEqual([]);
  });

  it('fails on a reserved token and names the line', async () => {
    const records = exampleRecords(20);
    const [content] = records[11]?.messages[0]?.content ?? [];
    if (content) content.text += ' User: and this?';
    const uri = await putText(sandbox, 'reserved/training.jsonl', toJsonl(records));
    const request = await jobRequest(sandbox, 'reserved-token', { trainingDataConfig: { s3Uri: uri } });
    await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
    const job = await awaitJob(sandbox, 'reserved-token-job');
    expect(job.status).toBe('Failed');
    expect(job.failureMessage).toContain(`${uri}, line 12`);
    expect(job.failureMessage).toContain("'User:'");
    expect(job.statusDetails?.validationDetails?.status).toBe('Failed');
    expect(job.statusDetails?.trainingDetails?.status).toBe('NotStarted');
  });

  it.each([
    ['too few records', toJsonl(exampleRecords(7)), /7 records; allowed are 8 to 20000/],
    ['a broken line', `${toJsonl(exampleRecords(9))}{"messages":\n`, /line 10: not JSON/],
    [
      'contents that are strings',
      toJsonl(Array.from({ length: 9 }, () => ({ messages: [{ role: 'user', content: 'a' }, {}] }))),
      /line 1: messages\[0\]\.content is a string/,
    ],
    [
      'two user messages in a row',
      toJsonl(
        Array.from({ length: 9 }, () => ({
          messages: [1, 2].map(() => ({ role: 'user', content: [{ text: 'a' }] })),
        })),
      ),
      /line 1: messages\[1\]\.role is "user"/,
    ],
  ])('fails on %s', async (title, text, message) => {
    const name = title.replaceAll(' ', '-');
    const uri = await putText(sandbox, `${name}/data.jsonl`, text);
    const jobArn = await createJob(sandbox, name, { trainingDataConfig: { s3Uri: uri } });
    const job = await awaitJob(sandbox, jobArn);
    expect(job).toMatchObject({ status: 'Failed', failureMessage: expect.stringMatching(message) });
    const { entries } = await sandbox.admin<SandboxLedger>('/_anneal/ledger');
    expect(entries.find((entry) => entry.resource === jobArn && entry.action === 'fail')?.usd).toBe(0);
  });

  it('works on the data as it was when the job was created', async () => {
    const jobArn = await createJob(sandbox, 'snapshot');
    await putText(sandbox, 'snapshot/training.jsonl', 'replaced');
    expect(await awaitJob(sandbox, jobArn)).toMatchObject({
      status: 'Completed',
      baseModelArn: expect.stringContaining(baseModel),
    });
  });
});
