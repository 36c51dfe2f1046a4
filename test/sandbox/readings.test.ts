import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteCustomModelCommand,
  DeleteProvisionedModelThroughputCommand,
  GetCustomModelCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
  ListCustomModelsCommand,
  ListProvisionedModelThroughputsCommand,
  ListTagsForResourceCommand,
  StopModelCustomizationJobCommand,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, describe, expect, it } from 'vitest';
import {
  defaultReadings,
  parseReadings,
  type ReadingsInput,
  readingSets,
} from '../../src/sandbox/readings.js';
import { type FaultySandbox, openFaultySandbox } from './faults-support.js';
import { awaitJob, baseModel, errorOf, jobRequest, putText } from './sandbox.js';

const opened: FaultySandbox[] = [];
afterEach(async () => {
  for (const sandbox of opened.splice(0)) await sandbox.close();
});

/** A sandbox that reads AWS this way; its clock stands nearly still unless told otherwise. */
async function open(readings: ReadingsInput, options: { clockScale?: number; trainingHours?: number } = {}) {
  const sandbox = await openFaultySandbox({
    clockScale: options.clockScale ?? 1,
    settings: { ...parseReadings(JSON.stringify(readings)), trainingHours: options.trainingHours ?? null },
  });
  opened.push(sandbox);
  return sandbox;
}

/** Lets so much of the sandbox's time pass, and a few minutes more. */
async function pass(sandbox: FaultySandbox, minutes: number): Promise<void> {
  const time = async () => Date.parse((await sandbox.state()).time);
  const until = (await time()) + minutes * 60_000;
  await sandbox.setClockScale(6000);
  while ((await time()) < until) await sleep(5);
  await sandbox.setClockScale(1);
}

let ordinal = 0;
const provision = async (sandbox: FaultySandbox, over: Record<string, unknown> = {}) => {
  ordinal += 1;
  const request = { provisionedModelName: `t-${ordinal}`, modelId: baseModel, modelUnits: 1, ...over };
  const { provisionedModelArn = '' } = await sandbox.bedrock.send(
    new CreateProvisionedModelThroughputCommand(request),
  );
  return provisionedModelArn;
};
const get = (sandbox: FaultySandbox, provisionedModelId: string) =>
  sandbox.bedrock.send(new GetProvisionedModelThroughputCommand({ provisionedModelId }));
const remove = (sandbox: FaultySandbox, provisionedModelId: string) =>
  sandbox.bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId }));
const ask = (sandbox: FaultySandbox, modelId: string) =>
  sandbox.runtime.send(
    new ConverseCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Which colour?' }] }] }),
  );
/** The name of the error that a call ends with, or `done`. */
const nameOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: Error) => error.name,
  );

const done = 'done';
const invalid = 'ValidationException';
const conflict = 'ConflictException';
const missing = 'ResourceNotFoundException';

/** What one question is answered under one reading; throughputs of a base model need no training. */
type Probe = (sandbox: FaultySandbox) => Promise<unknown>;

const tokenAgain: Probe = async (sandbox) => {
  const first = await provision(sandbox, { clientRequestToken: 'one' });
  await pass(sandbox, 10);
  return (await provision(sandbox, { clientRequestToken: 'one' })) === first;
};
const nameTwice: Probe = async (sandbox) => {
  await provision(sandbox, { provisionedModelName: 'same' });
  return nameOf(provision(sandbox, { provisionedModelName: 'same' }));
};
const byName: Probe = async (sandbox) => {
  const arn = await provision(sandbox, { provisionedModelName: 'named' });
  return [await nameOf(get(sandbox, 'named')), await nameOf(get(sandbox, arn))];
};
const deletedTwice: Probe = async (sandbox) => {
  const arn = await provision(sandbox, { provisionedModelName: 'gone' });
  await remove(sandbox, arn);
  const seen = [
    await nameOf(get(sandbox, arn)),
    await nameOf(remove(sandbox, arn)),
    await nameOf(provision(sandbox, { provisionedModelName: 'gone' })),
  ];
  await pass(sandbox, 16);
  return [...seen, await nameOf(get(sandbox, arn))];
};
const updateEarly: Probe = async (sandbox) => {
  const provisionedModelId = await provision(sandbox);
  const command = { provisionedModelId, desiredProvisionedModelName: 'renamed' };
  return nameOf(sandbox.bedrock.send(new UpdateProvisionedModelThroughputCommand(command)));
};
const askEarlyAndLater: Probe = async (sandbox) => {
  const arn = await provision(sandbox);
  const early = await nameOf(ask(sandbox, arn));
  const status = async () => (await get(sandbox, arn)).status;
  while ((await status()) !== 'InService') await pass(sandbox, 1);
  const ready = await nameOf(ask(sandbox, arn));
  await pass(sandbox, 60);
  return [early, ready, await nameOf(ask(sandbox, arn))];
};
const hoursOf: Probe = async (sandbox) => {
  const arn = await provision(sandbox);
  await pass(sandbox, 5);
  await remove(sandbox, arn);
  const { hoursBilled = 0 } = (await sandbox.ledger()).at(-1) ?? {};
  const resource = (await sandbox.state()).resources.find((each) => each.resource === arn);
  expect(resource?.hoursBilled).toBe(hoursBilled);
  return hoursBilled === 0 ? 'none' : hoursBilled === 1 ? 'an hour' : 'a part';
};
const tooMuch: Probe = (sandbox) => nameOf(provision(sandbox, { modelUnits: 3 }));
const oneUnit: Probe = (sandbox) => nameOf(provision(sandbox));
const listed: Probe = async (sandbox) => {
  const resourceARN = await provision(sandbox, { tags: [{ key: 'a', value: 'b' }] });
  const count = async () =>
    (await sandbox.bedrock.send(new ListProvisionedModelThroughputsCommand({}))).provisionedModelSummaries
      ?.length;
  const tags = () => nameOf(sandbox.bedrock.send(new ListTagsForResourceCommand({ resourceARN })));
  const early = [await count(), await tags()];
  await pass(sandbox, 6);
  return [...early, await count(), await tags()];
};
const readEarly: Probe = async (sandbox) => {
  const arn = await provision(sandbox);
  const early = await nameOf(get(sandbox, arn));
  await pass(sandbox, 6);
  return [early, await nameOf(get(sandbox, arn))];
};
const deleteEarly: Probe = async (sandbox) => {
  const arn = await provision(sandbox);
  const early = await nameOf(remove(sandbox, arn));
  await pass(sandbox, 16);
  return [early, await nameOf(remove(sandbox, arn))];
};
const failedJob = async (sandbox: FaultySandbox) => {
  await putText(sandbox, 'bad.jsonl', '{"no":"record"}\n');
  const request = await jobRequest(sandbox, 'ended', {
    trainingDataConfig: { s3Uri: 's3://data/bad.jsonl' },
  });
  await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
  await sandbox.setClockScale(36_000);
  expect((await awaitJob(sandbox, 'ended-job')).status).toBe('Failed');
  return request;
};
const jobNameAgain: Probe = async (sandbox) => {
  const request = await failedJob(sandbox);
  const again = { ...request, clientRequestToken: 'another' };
  return nameOf(sandbox.bedrock.send(new CreateModelCustomizationJobCommand(again)));
};
const stopAgain: Probe = async (sandbox) => {
  await failedJob(sandbox);
  return nameOf(sandbox.bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: 'ended-job' })));
};

const notReady = 'ModelNotReadyException';

describe('each reading, over the wire', () => {
  it.each<[string, Probe, unknown, unknown]>([
    ['token-forgotten', tokenAgain, true, false],
    ['job-name-freed', jobNameAgain, conflict, done],
    ['name-conflict', nameTwice, invalid, conflict],
    ['throughput-by-arn', byName, [done, done], [missing, done]],
    ['stop-refused', stopAgain, conflict, invalid],
    ['stop-ignored', stopAgain, conflict, done],
    ['slow-deletion', deletedTwice, [missing, missing, done, missing], [done, conflict, invalid, missing]],
    ['update-conflict', updateEarly, invalid, conflict],
    ['update-replaces', updateEarly, invalid, done],
    ['creation-not-found', askEarlyAndLater, [notReady, done, done], [missing, missing, done]],
    ['creation-invalid', askEarlyAndLater, [notReady, done, done], [invalid, invalid, done]],
    ['slow-serving', askEarlyAndLater, [notReady, done, done], [notReady, notReady, done]],
    ['whole-hours', hoursOf, 'a part', 'an hour'],
    ['creation-free', hoursOf, 'a part', 'none'],
    ['new-account', oneUnit, done, 'ServiceQuotaExceededException'],
    ['quota-invalid', tooMuch, 'ServiceQuotaExceededException', invalid],
    ['quota-throttled', tooMuch, 'ServiceQuotaExceededException', 'ThrottlingException'],
    ['quota-limit', tooMuch, 'ServiceQuotaExceededException', 'LimitExceededException'],
    ['slow-lists', listed, [1, done, 1, done], [0, missing, 1, done]],
    ['slow-reads', readEarly, [done, done], [missing, done]],
    ['busy-delete', deleteEarly, [done, missing], [conflict, done]],
  ])('%s', { timeout: 60_000 }, async (name, probe, usual, other) => {
    const set = readingSets.find((each) => each.name === name);
    // A serving lag of some minutes passes while a test looks: it is made long here.
    const readings = set?.readings.servingLagMinutes
      ? { ...set.readings, servingLagMinutes: 30 }
      : set?.readings;
    expect(await probe(await open({}))).toEqual(usual);
    expect(await probe(await open(readings ?? {}))).toEqual(other);
  });

  it.each([
    ['model-early', {}, [], [missing, missing]],
    ['model-early', { modelAppears: 'while-training' }, ['Creating'], [done, conflict]],
  ] as const)(
    '%s: a model whose job still trains, %j',
    { timeout: 60_000 },
    async (_, readings, listedAs, calls) => {
      const sandbox = await open(readings, { clockScale: 3600, trainingHours: 10 });
      await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(await jobRequest(sandbox, 'early')));
      const job = () =>
        sandbox.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: 'early-job' }));
      const training = async () => (await job()).statusDetails?.trainingDetails?.status;
      await expect.poll(training, { timeout: 30_000, interval: 20 }).toBe('InProgress');
      await sandbox.setClockScale(1);
      const { modelSummaries = [] } = await sandbox.bedrock.send(new ListCustomModelsCommand({}));
      expect(modelSummaries.map(({ modelStatus }) => modelStatus)).toEqual(listedAs);
      const modelIdentifier = { modelIdentifier: 'early-model' };
      expect([
        await nameOf(sandbox.bedrock.send(new GetCustomModelCommand(modelIdentifier))),
        await nameOf(sandbox.bedrock.send(new DeleteCustomModelCommand(modelIdentifier))),
      ]).toEqual(calls);
    },
  );

  it('model-late and served-model-invalid: a model after its job', { timeout: 60_000 }, async () => {
    const usual = await open({}, { clockScale: 36_000 });
    const other = await open(
      { modelAppears: 'after-completion', modelLagMinutes: 100_000, deleteOfServedModel: 'validation-error' },
      { clockScale: 36_000 },
    );
    const see = (sandbox: FaultySandbox, modelIdentifier: string) =>
      nameOf(sandbox.bedrock.send(new GetCustomModelCommand({ modelIdentifier })));
    const serve = (sandbox: FaultySandbox, modelArn: string) =>
      nameOf(
        sandbox.bedrock.send(
          new CreateCustomModelDeploymentCommand({ modelDeploymentName: 'served', modelArn }),
        ),
      );
    const drop = (sandbox: FaultySandbox, modelIdentifier: string) =>
      nameOf(sandbox.bedrock.send(new DeleteCustomModelCommand({ modelIdentifier })));
    const arn = await usual.train('made');
    expect([await see(usual, arn), await serve(usual, arn), await drop(usual, arn)]).toEqual([
      done,
      done,
      conflict,
    ]);
    const late = await other.train('made');
    expect([await see(other, late), await serve(other, late)]).toEqual([missing, missing]);
    await other.setClockScale(1_000_000);
    await expect.poll(() => see(other, late), { timeout: 30_000 }).toBe(done);
    expect([await serve(other, late), await drop(other, late)]).toEqual([done, invalid]);
  });

  it.each([
    ['free', 0],
    ['billed', expect.closeTo(0.5, 1)],
  ] as const)(
    'failed-training-billed: a job that fails halfway is %s',
    { timeout: 60_000 },
    async (failedTraining, share) => {
      const sandbox = await open({ failedTraining }, { clockScale: 36_000, trainingHours: 8 });
      // Six hours of training: the stage that takes three quarters of the time.
      const fault = { kind: 'jobFailed', stage: 'training', afterMinutes: 180 } as const;
      await sandbox.setFaults({ operation: 'CreateModelCustomizationJob', nth: 1, match: 'halfway', fault });
      await sandbox.train('whole');
      await sandbox.bedrock.send(
        new CreateModelCustomizationJobCommand(await jobRequest(sandbox, 'halfway')),
      );
      const job = await awaitJob(sandbox, 'halfway-job');
      expect(job.status).toBe('Failed');
      expect(job.statusDetails).toMatchObject({
        dataProcessingDetails: { status: 'Completed' },
        trainingDetails: { status: 'Failed' },
      });
      const ledger = await sandbox.ledger();
      const usd = (name: string) =>
        ledger.find((entry) => entry.name === name && entry.usd !== null)?.usd ?? Number.NaN;
      expect(usd('whole-job')).toBeGreaterThan(0);
      expect(usd('halfway-job') / usd('whole-job')).toEqual(share);
    },
  );
});

describe('the sets of readings', () => {
  it('have the usual one first, an alternative for every switch, and nearly all at once', () => {
    const names = readingSets.map(({ name }) => name);
    expect(names[0]).toBe('usual');
    expect(names.at(-1)).toBe('everything-else-way');
    expect(new Set(names).size).toBe(names.length);
    const usual: Record<string, unknown> = defaultReadings;
    const switched = readingSets.flatMap(({ readings }) =>
      Object.entries(readings).flatMap(([key, value]) => (usual[key] === value ? [] : [key])),
    );
    // How late a model is depends on its being late.
    const switches = Object.keys(defaultReadings).filter((key) => key !== 'modelLagMinutes');
    expect([...new Set(switched)].sort()).toEqual(
      expect.arrayContaining([...switches, 'deletionMinutes', 'modelUnitsWithoutCommitment'].sort()),
    );
    expect(Object.keys(readingSets.at(-1)?.readings ?? {}).length).toBeGreaterThan(18);
  });

  it('can be named where readings are given, and stand in docs/assumptions.md with their numbers', () => {
    const page = readFileSync(new URL('../../docs/assumptions.md', import.meta.url), 'utf8');
    for (const { name, assumption, readings } of readingSets) {
      expect(parseReadings(name)).toEqual(parseReadings(JSON.stringify(readings)));
      if (assumption === null) continue;
      const [, text = ''] = new RegExp(`^${assumption}\\. (.*)$`, 'm').exec(page) ?? [];
      expect(text, `assumption ${assumption}`).toContain(`\`${name}\``);
      for (const key of Object.keys(readings)) expect(page).toContain(`${key}\``);
    }
    expect(() => parseReadings('slow-list')).toThrow(/Did you mean "slow-lists"\?/);
  });

  it('answer nothing that the mistakes of a reading do not: other errors stay declared', async () => {
    const sandbox = await open(readingSets.at(-1)?.readings ?? {});
    expect(await errorOf(get(sandbox, 'nobody'))).toMatchObject({ name: missing, status: 404 });
  });
});
