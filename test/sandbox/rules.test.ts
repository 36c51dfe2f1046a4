import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  type CreateModelCustomizationJobCommandInput,
  CreateProvisionedModelThroughputCommand,
  DeleteProvisionedModelThroughputCommand,
  GetCustomModelDeploymentCommand,
  GetFoundationModelCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
  ListFoundationModelsCommand,
  ListModelCustomizationJobsCommand,
  ListTagsForResourceCommand,
  paginateListModelCustomizationJobs,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  awaitCondition,
  awaitJob,
  baseModel,
  createJob,
  errorOf,
  jobRequest,
  openSandbox,
  type SandboxLedger,
  type TestSandbox,
} from './sandbox.js';

let sandbox: TestSandbox;
let modelArn: string | undefined;
beforeAll(async () => {
  sandbox = await openSandbox();
  modelArn = (await awaitJob(sandbox, await createJob(sandbox, 'shared'))).outputModelArn;
});
afterAll(() => sandbox.close());

const create = (request: CreateModelCustomizationJobCommandInput) =>
  sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));

describe('CreateModelCustomizationJob', () => {
  it('starts one job for one token, however often it is asked', async () => {
    const request = await jobRequest(sandbox, 'token');
    const answers = await Promise.all([create(request), create(request), create(request)]);
    expect(new Set(answers.map((answer) => answer.jobArn)).size).toBe(1);
    const { entries } = await sandbox.admin<SandboxLedger>('/_anneal/ledger');
    const created = entries.filter((entry) => entry.name === 'token-job' && entry.action === 'create');
    expect(created).toHaveLength(1);
    expect(created[0]?.clientRequestToken).toBe('token-token');
  });

  it('refuses a job name for ever and a model name while it is in use, as a conflict with status 400', async () => {
    const request = await jobRequest(sandbox, 'shared', { clientRequestToken: 'another-token' });
    const conflict = { name: 'ConflictException', status: 400 };
    expect(await errorOf(create(request))).toMatchObject(conflict);
    const sameModel = { ...request, jobName: 'shared-again' };
    expect(await errorOf(create(sameModel))).toMatchObject(conflict);
  });

  it.each<[string, Partial<CreateModelCustomizationJobCommandInput>, RegExp]>([
    ['no role', { roleArn: undefined }, /'roleArn' failed to satisfy constraint: Member must not be null/],
    ['a dot in a model name', { customModelName: 'a.b' }, /customModelName.*regular expression/],
    ['a colon in a token', { clientRequestToken: 'a:b' }, /clientRequestToken/],
    ['a job name of 64 characters', { jobName: 'a'.repeat(64) }, /less than or equal to 63/],
    ['an endless job name', { jobName: `a${'-'.repeat(60)}_` }, /regular expression/],
    ['an unknown base model', { baseModelIdentifier: 'amazon.nova-mega-v1:0' }, /cannot be customized/],
    ['an epoch count of 6', { hyperParameters: { epochCount: '6' } }, /epochCount is '6'.*from 1 to 5/],
    ['a learning rate of 1', { hyperParameters: { learningRate: '1' } }, /learningRate is '1'/],
    ['an unknown hyperparameter', { hyperParameters: { momentum: '1' } }, /momentum is not known/],
    [
      'a training file that is not there',
      { trainingDataConfig: { s3Uri: 's3://data/none.jsonl' } },
      /no object s3:\/\/data\/none\.jsonl/,
    ],
    ['an output bucket that is not there', { outputDataConfig: { s3Uri: 's3://nowhere/x' } }, /nowhere/],
    [
      'a model past its end of life',
      { baseModelIdentifier: 'anthropic.claude-3-haiku-20240307-v1:0:200k' },
      /end of life/,
    ],
  ])('refuses %s and creates nothing', async (_, overrides, message) => {
    const request = await jobRequest(sandbox, 'refused', overrides);
    const error = await errorOf(create(request));
    expect(error).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(error.message).toMatch(message);
    const jobs = await sandbox.bedrock.send(new ListModelCustomizationJobsCommand({}));
    const names = jobs.modelCustomizationJobSummaries?.map((job) => job.jobName);
    expect(names).not.toContain(request.jobName);
  });

  it('refuses more than 50 tags', async () => {
    const jobTags = Array.from({ length: 51 }, (_, index) => ({ key: `k${index}`, value: 'v' }));
    const error = await errorOf(create(await jobRequest(sandbox, 'tags', { jobTags })));
    expect(error).toMatchObject({ name: 'TooManyTagsException', status: 400 });
  });

  it('refuses more unfinished jobs than the quota allows', async () => {
    const small = await openSandbox({
      clockScale: 1,
      settings: { quotas: { scheduledCustomizationJobs: 1 } },
    });
    await createJob(small, 'first');
    const error = await errorOf(createJob(small, 'second'));
    expect(error).toMatchObject({ name: 'ServiceQuotaExceededException', status: 400 });
    await small.close();
  });

  it('is seen by the readings of an open question: a token with other parameters may be an error', async () => {
    const strict = await openSandbox({
      settings: { readings: { tokenWithOtherParameters: 'validation-error' } },
    });
    const request = await jobRequest(strict, 'strict');
    await strict.bedrock.send(new CreateModelCustomizationJobCommand(request));
    const other = new CreateModelCustomizationJobCommand({ ...request, jobName: 'strict-other' });
    expect(await errorOf(strict.bedrock.send(other))).toMatchObject({ name: 'ValidationException' });
    await strict.close();
  });
});

describe('provisioned throughput', () => {
  const provision = (name: string, overrides: object = {}) =>
    sandbox.bedrock.send(
      new CreateProvisionedModelThroughputCommand({
        provisionedModelName: name,
        modelId: modelArn,
        modelUnits: 1,
        clientRequestToken: `${name}-token`,
        ...overrides,
      }),
    );
  const remove = (provisionedModelId: string | undefined) =>
    sandbox.bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId }));

  it('is bought once for one token, has a name of its own, and stays within the quota', async () => {
    const { provisionedModelArn } = await provision('one');
    expect((await provision('one')).provisionedModelArn).toBe(provisionedModelArn);
    expect(await errorOf(provision('one', { clientRequestToken: 'other' }))).toMatchObject({
      name: 'ValidationException',
    });
    const quota = { name: 'ServiceQuotaExceededException', status: 400 };
    expect(await errorOf(provision('two', { modelUnits: 2 }))).toMatchObject(quota);
    await remove(provisionedModelArn);
    expect(await errorOf(remove(provisionedModelArn))).toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('is refused outright where the account has the standard quota of none', async () => {
    const poor = await openSandbox({ settings: { quotas: { modelUnitsWithoutCommitment: 0 } } });
    const job = await awaitJob(poor, await createJob(poor, 'poor'));
    const error = await errorOf(
      poor.bedrock.send(
        new CreateProvisionedModelThroughputCommand({
          provisionedModelName: 'poor',
          modelId: job.outputModelArn,
          modelUnits: 1,
        }),
      ),
    );
    expect(error.message).toContain('does not currently have any no commitment model units reserved');
    await poor.close();
  });

  it('cannot be deleted inside its commitment', async () => {
    const { provisionedModelArn } = await provision('committed', { commitmentDuration: 'OneMonth' });
    expect(await errorOf(remove(provisionedModelArn))).toMatchObject({
      name: 'ConflictException',
      status: 400,
    });
    await sandbox.setClockScale(1_000_000);
    const get = new GetProvisionedModelThroughputCommand({ provisionedModelId: provisionedModelArn });
    await awaitCondition(async () => {
      const { commitmentExpirationTime } = await sandbox.bedrock.send(get);
      const { time } = await sandbox.admin<{ time: string }>('/_anneal/health');
      return Date.parse(time) > (commitmentExpirationTime?.getTime() ?? 0);
    }, 'the end of the commitment');
    await sandbox.setClockScale(3600);
    await remove(provisionedModelArn);
  });

  it('takes only a custom model of the same base when it is updated', async () => {
    const { provisionedModelArn } = await provision('same-base');
    const get = new GetProvisionedModelThroughputCommand({ provisionedModelId: provisionedModelArn });
    const update = (desiredModelId: string) =>
      sandbox.bedrock.send(
        new UpdateProvisionedModelThroughputCommand({
          provisionedModelId: provisionedModelArn,
          desiredModelId,
        }),
      );
    expect(await errorOf(update(baseModel))).toMatchObject({ name: 'ValidationException' });
    await awaitCondition(async () => (await sandbox.bedrock.send(get)).status === 'InService', 'it');
    const other = await errorOf(update('amazon.nova-lite-v1:0:300k'));
    expect(other.message).toContain('can only take models based on amazon.nova-micro-v1:0:128k');
    await remove(provisionedModelArn);
  });
});

describe('custom model deployments', () => {
  const deploy = (name: string, overrides: object = {}) =>
    sandbox.bedrock.send(
      new CreateCustomModelDeploymentCommand({ modelDeploymentName: name, modelArn, ...overrides }),
    );

  it('need a model that is Active', async () => {
    const unfinished = await createJob(sandbox, 'unfinished');
    const { jobArn } = await sandbox.bedrock.send(
      new GetModelCustomizationJobCommand({ jobIdentifier: unfinished }),
    );
    const state = await sandbox.admin<{ resources: { resource: string; modelArn: string }[] }>(
      '/_anneal/state',
    );
    const own = state.resources.find((each) => each.resource === jobArn)?.modelArn;
    expect(await errorOf(deploy('early', { modelArn: own }))).toMatchObject({ name: 'ValidationException' });
    const unknown = modelArn?.replace(/.{12}$/, 'aaaaaaaaaaaa');
    expect(await errorOf(deploy('unknown', { modelArn: unknown }))).toMatchObject({
      name: 'ResourceNotFoundException',
      status: 404,
    });
  });

  it('are limited in how many are being created, and have names of their own', async () => {
    await sandbox.setClockScale(1);
    const arns = [await deploy('first'), await deploy('second')];
    expect(await errorOf(deploy('third'))).toMatchObject({ name: 'ServiceQuotaExceededException' });
    expect(await errorOf(deploy('first'))).toMatchObject({ name: 'ValidationException' });
    await sandbox.setClockScale(3600);
    const customModelDeploymentIdentifier = arns[1]?.customModelDeploymentArn;
    const get = new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier });
    await awaitCondition(async () => (await sandbox.bedrock.send(get)).status === 'Active', 'it');
  });
});

describe('everything else', () => {
  it('lists jobs in pages, newest first, without gaps or repeats', async () => {
    const names: string[] = [];
    const pages = paginateListModelCustomizationJobs({ client: sandbox.bedrock, pageSize: 1 }, {});
    for await (const page of pages) {
      expect(page.modelCustomizationJobSummaries?.length).toBeLessThanOrEqual(1);
      names.push(...(page.modelCustomizationJobSummaries ?? []).map((job) => job.jobName ?? ''));
    }
    expect(names.at(-1)).toBe('shared-job');
    expect(new Set(names).size).toBe(names.length);
  });

  it('keeps, changes and removes tags', async () => {
    const resourceARN = modelArn;
    await sandbox.bedrock.send(new TagResourceCommand({ resourceARN, tags: [{ key: 'a', value: '1' }] }));
    await sandbox.bedrock.send(new TagResourceCommand({ resourceARN, tags: [{ key: 'b', value: '2' }] }));
    await sandbox.bedrock.send(new UntagResourceCommand({ resourceARN, tagKeys: ['a'] }));
    const { tags } = await sandbox.bedrock.send(new ListTagsForResourceCommand({ resourceARN }));
    expect(tags).toEqual([{ key: 'b', value: '2' }]);
  });

  it('knows which base models can be customized and that they are active', async () => {
    const { modelDetails } = await sandbox.bedrock.send(
      new GetFoundationModelCommand({ modelIdentifier: baseModel }),
    );
    expect(modelDetails).toMatchObject({
      customizationsSupported: ['FINE_TUNING'],
      modelLifecycle: { status: 'ACTIVE' },
    });
    const { modelSummaries } = await sandbox.bedrock.send(
      new ListFoundationModelsCommand({ byCustomizationType: 'FINE_TUNING' }),
    );
    expect(modelSummaries?.map((model) => model.modelId)).toContain('amazon.nova-pro-v1:0:300k');
  });

  it('answers to no model that it does not know, and to no bare custom model', async () => {
    const ask = (modelId: string | undefined) =>
      sandbox.runtime.send(
        new ConverseCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }),
      );
    expect(await errorOf(ask('amazon.nothing-v1:0'))).toMatchObject({ name: 'ValidationException' });
    expect(await errorOf(ask(modelArn))).toMatchObject({ name: 'ValidationException' });
    const gone = 'arn:aws:bedrock:us-east-1:000000000000:provisioned-model/aaaaaaaaaaaa';
    expect(await errorOf(ask(gone))).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
  });

  it('says who is calling', async () => {
    const { Account, Arn } = await sandbox.sts.send(new GetCallerIdentityCommand({}));
    expect(Account).toBe('000000000000');
    expect(Arn).toContain('sandbox');
  });
});
