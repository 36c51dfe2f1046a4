import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../../src/activities/process-identity.js';
import type { AdapterManifest } from '../../src/activities/training/local/artifact.js';
import type { TrainingJobRequest } from '../../src/domain/training-job.js';
import {
  eventually,
  type LocalMachine,
  startLocalMachine,
  until,
  untilEnded,
} from '../local/support/local-training.js';

/** Long enough to be killed in the middle: 48 steps, about two seconds. */
const long = {
  baseModel: 'slow',
  hyperparameters: {
    epochCount: '12',
    batchSize: '4',
    rank: '8',
    checkpointSteps: '2',
    learningRate: '0.001',
  },
} satisfies Partial<TrainingJobRequest>;

const endless = { ...long, hyperparameters: { ...long.hyperparameters, epochCount: '50' } };

describe.concurrent('a job on this machine', () => {
  let machine: LocalMachine;
  beforeAll(async () => {
    machine = await startLocalMachine(10);
    await machine.addBaseModel('slow', { secondsPerStep: 0.04 });
  });
  afterAll(() => machine?.close());

  const attemptsAt = async (jobName: string, baseModel = 'slow') =>
    (await machine.attempts(baseModel)).filter(({ job }) => job === jobName);
  const neverTwoAtOnce = async (jobName: string, baseModel = 'slow') => {
    for (const { job, alongside } of await attemptsAt(jobName, baseModel))
      expect(alongside).not.toContain(job);
  };
  const startsOf = async (jobName: string) =>
    (await readFile(machine.pathOf(jobName, 'events.jsonl'), 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"event": "start"'))
      .map((line) => (JSON.parse(line) as { resumedFromStep: number }).resumedFromStep);
  /** Submits a long job and looks at it until it has made a few steps. */
  const submitted = async (jobName: string, override: Partial<TrainingJobRequest> = long) => {
    const provider = machine.newProvider();
    const job = await provider.submit(machine.request(jobName, override));
    await until(provider, job, ({ progress }) => /^step ([5-9]|\d\d)/.test(progress));
    return { provider, job };
  };
  const kill = async (process_: 'supervisorOf' | 'trainerOf', jobName: string, signal: NodeJS.Signals) => {
    const known = await machine[process_](jobName);
    if (!known || !isAlive(known)) throw new Error(`${jobName} has no ${process_} to kill`);
    process.kill(known.pid, signal);
    await eventually(() => !isAlive(known));
  };

  test('says in one line how far it is', async () => {
    const { provider, job } = await submitted('reporting');
    const { progress, rawStatus, trainingLoss, startedAt } = await provider.describe(job);
    expect(progress).toMatch(
      /^step \d+ of 48, epoch [\d.]+ of 12, loss [\d.]+, 310 tokens\/s, \d s left, sleep on none [▁-█]+$/,
    );
    expect(rawStatus).toBe('Training');
    expect(trainingLoss).toBeGreaterThan(0);
    expect(startedAt).not.toBeNull();
  });

  test('goes on when the worker is killed that submitted it', async () => {
    const job = await machine.submitFromKilledWorker(machine.request('orphaned', long));
    const last = await untilEnded(machine.newProvider(), job);
    expect(last.status).toBe('succeeded');
    expect(await attemptsAt('orphaned')).toHaveLength(1);
  });

  test('resumes from its checkpoint when the trainer is killed, and gives the same adapter', async () => {
    const { provider, job } = await submitted('killed');
    await kill('trainerOf', 'killed', 'SIGKILL');
    await appendFile(machine.pathOf('killed', 'events.jsonl'), '{"event":"step","step":4');
    const untouched = await submitted('untouched');
    const [last, same] = [await untilEnded(provider, job), await untilEnded(provider, untouched.job)];
    expect([last.status, same.status]).toEqual(['succeeded', 'succeeded']);
    const starts = await startsOf('killed');
    expect(starts).toHaveLength(2);
    expect(starts[1]).toBeGreaterThan(2);
    await neverTwoAtOnce('killed');
    const adapterOf = async (uri: string | null) =>
      (JSON.parse((await machine.store.getText(uri ?? '')) ?? '') as AdapterManifest).adapterSha256;
    expect(await adapterOf(last.modelId)).toBe(await adapterOf(same.modelId));
  });

  test('keeps its trainer when the supervisor is killed', async () => {
    const { provider, job } = await submitted('unsupervised');
    await kill('supervisorOf', 'unsupervised', 'SIGKILL');
    const lookers = [1, 2, 3, 4].map(() => machine.newProvider());
    for (const { status } of await Promise.all(lookers.map((looker) => looker.describe(job))))
      expect(status).toBe('running');
    expect((await untilEnded(provider, job)).status).toBe('succeeded');
    expect(await attemptsAt('unsupervised')).toHaveLength(1);
  });

  test('is started again by whoever asks, once, when everything of it was killed', async () => {
    const { provider, job } = await submitted('wiped-out');
    await kill('supervisorOf', 'wiped-out', 'SIGKILL');
    await kill('trainerOf', 'wiped-out', 'SIGKILL');
    const lookers = [1, 2, 3, 4].map(() => machine.newProvider());
    await Promise.all(lookers.map((looker) => looker.describe(job)));
    expect((await untilEnded(provider, job)).status).toBe('succeeded');
    expect(await attemptsAt('wiped-out')).toHaveLength(2);
    await neverTwoAtOnce('wiped-out');
  });

  test('that something else told to stop, as a machine does that goes down, is not taken for cancelled', async () => {
    const { provider, job } = await submitted('told-to-stop');
    await kill('trainerOf', 'told-to-stop', 'SIGTERM');
    expect((await untilEnded(provider, job)).status).toBe('succeeded');
    expect((await startsOf('told-to-stop')).length).toBe(2);
  });

  test('that crashes three times at the same step fails with the last words of its trainer', async () => {
    await machine.addBaseModel('crashing', { crashesAtStep: 3, tearsItsLastLine: true });
    const provider = machine.newProvider();
    const job = await provider.submit(machine.request('crashing', { baseModel: 'crashing' }));
    const last = await untilEnded(provider, job);
    expect(last).toMatchObject({ status: 'failed', rawStatus: 'Failed', modelId: null });
    expect(last.failureMessage).toContain('ended 3 times without a new step (exit code 1)');
    expect(last.failureMessage).toContain('MemoryError: could not allocate 48 GiB for the gradients');
    expect(await attemptsAt('crashing', 'crashing')).toHaveLength(3);
  });

  test('that will not stop is ended by force, and leaves no process, no half file and no artifact', async () => {
    await machine.addBaseModel('stubborn', { secondsPerStep: 0.04, ignoresRequestsToStop: true });
    const { provider, job } = await submitted('stubborn', { ...long, baseModel: 'stubborn' });
    const processes = [await machine.supervisorOf('stubborn'), await machine.trainerOf('stubborn')];
    await provider.cancel('stubborn');
    expect(await provider.describe(job)).toMatchObject({ status: 'stopping', rawStatus: 'Stopping' });
    expect(await untilEnded(provider, job)).toMatchObject({ status: 'cancelled', rawStatus: 'Stopped' });
    await eventually(() => !processes.some((known) => known === null || isAlive(known)));
    const left = await readdir(machine.pathOf('stubborn'));
    expect(left.filter((name) => /data|adapter|checkpoint|incomplete/.test(name))).toEqual([]);
    expect(await machine.store.list(`s3://${machine.store.bucket}/models/local/jobs/stubborn/`)).toEqual([]);
    await provider.deleteModel('stubborn');
    expect(existsSync(machine.pathOf('stubborn'))).toBe(false);
  });

  test('is cancelled although its supervisor and its worker are gone', async () => {
    const { job } = await submitted('abandoned');
    const trainer = await machine.trainerOf('abandoned');
    await kill('supervisorOf', 'abandoned', 'SIGKILL');
    const provider = machine.newProvider();
    await provider.cancel('abandoned');
    expect((await untilEnded(provider, job)).status).toBe('cancelled');
    expect(trainer && isAlive(trainer)).toBe(false);
  });

  test('cannot lose its model while it trains', async () => {
    const { provider } = await submitted('in-use');
    await expect(provider.deleteModel('in-use')).rejects.toThrow(/has not ended; cancel it first/);
    expect(existsSync(machine.pathOf('in-use', 'request.json'))).toBe(true);
  });
});

describe.concurrent('the artifact of a job', () => {
  let machine: LocalMachine;
  beforeAll(async () => {
    machine = await startLocalMachine(10);
  });
  afterAll(() => machine?.close());

  test('has a manifest that names every file with its size and hash, and goes with the model', async () => {
    const provider = machine.newProvider();
    const { validation, store } = machine;
    const job = await provider.submit(machine.request('published', { validation }));
    const last = await untilEnded(provider, job);
    const folder = machine.request('published').outputUri;
    expect(last.modelId).toBe(`${folder}manifest.json`);
    expect(last.validationLoss).toBe(0.5);
    const manifest = JSON.parse((await store.getText(last.modelId ?? '')) ?? '') as AdapterManifest;
    expect(manifest).toMatchObject({ baseModel: 'quick', hyperparameters: { rank: '8' }, steps: 8 });
    expect(manifest).toMatchObject({ engine: 'sleep', device: 'none' });
    expect(last.lossCurve?.engine).toBe('sleep on none');
    const adapter = ['adapter_config.json', 'adapter_model.safetensors', 'base_model.json'];
    const paths = [...adapter.map((name) => `adapter/${name}`), 'events.jsonl'];
    expect(manifest.files.map(({ path }) => path)).toEqual(paths);
    for (const { path, bytes, sha256 } of manifest.files) {
      const body = (await store.getText(`${folder}${path}`)) ?? '';
      expect([Buffer.byteLength(body), hash(body)]).toEqual([bytes, sha256]);
    }
    expect(manifest.files[1]?.sha256).toBe(manifest.adapterSha256);
    await provider.deleteModel('published');
    expect(await store.list(folder)).toEqual([]);
    expect(existsSync(machine.pathOf('published'))).toBe(false);
    expect(await provider.find('published')).toBeNull();
  });

  test('that is not what the trainer wrote is never published', async () => {
    const provider = machine.newProvider();
    const job = await provider.submit(machine.request('damaged'));
    await eventually(() => existsSync(machine.pathOf('damaged', 'ended.json')));
    await writeFile(machine.pathOf('damaged', 'adapter', 'adapter_model.safetensors'), 'half of it');
    const last = await provider.describe(job);
    expect(last).toMatchObject({ status: 'failed', modelId: null });
    expect(last.failureMessage).toMatch(/has SHA-256 [0-9a-f]{64}; the trainer wrote [0-9a-f]{64}/);
    expect(await machine.store.list(machine.request('damaged').outputUri)).toEqual([]);
    expect(await provider.hasModel('damaged')).toBe(false);
  });

  test('comes of the data that was asked for or of none', async () => {
    const provider = machine.newProvider();
    const { training } = machine;
    const changed = { ...training, sha256: hash('another file') };
    await expect(provider.submit(machine.request('changed', { training: changed }))).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringMatching(/train\.jsonl: it has SHA-256 .* Build the dataset again/),
    });
    const absent = { ...training, uri: `${training.uri}.absent` };
    await expect(provider.submit(machine.request('absent', { training: absent }))).rejects.toThrow(
      /is not there/,
    );
    expect(await readdir(machine.pathOf('.'))).not.toContain('changed');
    expect((await readdir(machine.pathOf('.'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('the line in front of a machine with one trainer', () => {
  let machine: LocalMachine;
  beforeAll(async () => {
    machine = await startLocalMachine(1);
    await machine.addBaseModel('slow', { secondsPerStep: 0.04 });
  });
  afterAll(() => machine?.close());

  test('is seen by those who wait, kept in order, and left by a cancel', async () => {
    const provider = machine.newProvider();
    const short = { ...long, hyperparameters: { ...long.hyperparameters, epochCount: '2' } };
    const first = await provider.submit(machine.request('first', endless));
    const second = await provider.submit(machine.request('second', short));
    const third = await provider.submit(machine.request('third', short));
    const fourth = await provider.submit(machine.request('fourth', short));
    expect(await until(provider, second, ({ status }) => status === 'pending')).toMatchObject({
      rawStatus: 'Queued',
      progress: 'waiting for the machine: 1 job before it',
    });
    await until(provider, fourth, ({ progress }) => progress === 'waiting for the machine: 3 jobs before it');
    await provider.cancel('third');
    expect(await untilEnded(provider, third)).toMatchObject({ status: 'cancelled', startedAt: null });
    await until(provider, fourth, ({ progress }) => progress === 'waiting for the machine: 2 jobs before it');
    await provider.cancel('first');
    for (const job of [first, second, fourth]) await untilEnded(provider, job);
    const attempts = await machine.attempts('slow');
    expect(attempts.map(({ job }) => job)).toEqual(['first', 'second', 'fourth']);
    expect(attempts.flatMap(({ alongside }) => alongside)).toEqual([]);
  });

  test('keeps one trainer although its supervisor is killed and others wait', async () => {
    const provider = machine.newProvider();
    const held = await provider.submit(machine.request('holding', endless));
    await until(provider, held, ({ rawStatus }) => rawStatus === 'Training');
    const supervisor = await machine.supervisorOf('holding');
    process.kill(supervisor?.pid as number, 'SIGKILL');
    const next = await provider.submit(machine.request('next', long));
    await until(provider, next, ({ progress }) => progress === 'waiting for the machine: 1 job before it');
    expect((await provider.describe(held)).status).toBe('running');
    await provider.cancel('holding');
    expect((await untilEnded(provider, next)).status).toBe('succeeded');
    expect((await untilEnded(provider, held)).status).toBe('cancelled');
    const attempts = await machine.attempts('slow');
    expect(attempts.flatMap(({ alongside }) => alongside)).toEqual([]);
  });
});

describe('a machine on which nothing is set up', () => {
  let machine: LocalMachine;
  beforeAll(async () => {
    machine = await startLocalMachine(1);
  });
  afterAll(() => machine?.close());

  const resolved = { baseModel: 'quick', hyperparameters: {}, settings: {}, records: null };

  test('has the defaults of every hyperparameter, and asks for no money', () => {
    const { hyperparameters, ...rest } = machine.newProvider().resolve(resolved);
    expect(hyperparameters).toMatchObject({ epochCount: '4', learningRate: '0.0002', seed: '1' });
    expect(hyperparameters).not.toHaveProperty('maximumSteps');
    expect(rest).toEqual({ settings: {}, usdPerThousandTokens: 0, epochs: 4, byHour: null });
    const again = machine.newProvider().resolve({ ...resolved, hyperparameters });
    expect(again.hyperparameters).toEqual(hyperparameters);
  });

  test('names everything that is wrong with a request at once, with what is allowed', () => {
    const wrong = { epochCount: 51, learningRate: 'fast', ranks: 8, batchSize: 1.5 };
    const resolve = () =>
      machine
        .newProvider()
        .resolve({ ...resolved, baseModel: 'quik', hyperparameters: wrong, settings: { threads: 0 } });
    expect(resolve).toThrow(/training\.baseModel: found "quik".*\(quick\).*`anneal setup local`.*"quick"\?/);
    expect(resolve).toThrow(/epochCount: found 51; allowed: whole numbers from 1 to 50/);
    expect(resolve).toThrow(/learningRate: found "fast"; allowed: 0\.000001 to 0\.01/);
    expect(resolve).toThrow(/batchSize: found 1\.5; allowed: whole numbers from 1 to 64/);
    expect(resolve).toThrow(/ranks: found an unknown hyperparameter.*Did you mean "rank"\?/);
    expect(resolve).toThrow(/training\.settings\.threads: found 0; allowed: a whole number from 1 to 256/);
  });

  test('says how to set it up when something is asked of it, and not before', async () => {
    const provider = machine.newProvider({
      home: `${machine.home}/empty`,
      python: `${machine.home}/no-python`,
    });
    expect(() => provider.resolve(resolved)).toThrow(/nothing yet.*`anneal setup local`/);
    await expect(provider.submit(machine.request('early'))).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringMatching(/early.*no-python; run `anneal setup local`/),
    });
    expect(await provider.find('early')).toBeNull();
    expect((await provider.listOwned(null)).resources).toEqual([]);
    await provider.cancel('early');
    await provider.deleteModel('early');
    await expect(provider.find('../outside')).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  test('does not lose a job when its Python is taken away: it waits, and can be cancelled', async () => {
    await machine.addBaseModel('slow', { secondsPerStep: 0.04 });
    const job = await machine.newProvider().submit(machine.request('stranded', long));
    const started = await until(machine.newProvider(), job, ({ rawStatus }) => rawStatus === 'Training');
    expect(started.status).toBe('running');
    for (const known of [await machine.supervisorOf('stranded'), await machine.trainerOf('stranded')]) {
      process.kill(known?.pid as number, 'SIGKILL');
      await eventually(() => known !== null && !isAlive(known));
    }
    const without = machine.newProvider({ python: `${machine.home}/no-python` });
    expect(await without.describe(job)).toMatchObject({
      status: 'pending',
      progress: expect.stringContaining('run `anneal setup local`'),
    });
    await without.cancel('stranded');
    expect((await without.describe(job)).status).toBe('cancelled');
  });
});

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
