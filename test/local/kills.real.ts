import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/domain/run-state.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';
import { type Event, readEvents } from './programs.js';
import { type RealMachine, type RealRun, seen, startRealMachine } from './support/real-machine.js';

let machine: RealMachine;
let worker: WorkerProcess;
let watch: TrainerWatch;
/** The adapter of a run that nobody disturbed: the seed is fixed, so every other run has to make the same bytes. */
let undisturbed: string;

beforeAll(async () => {
  machine = await startRealMachine();
  worker = await spawnWorker(machine.service);
  undisturbed = await adapterOf(await machine.start());
});

afterAll(async () => {
  await worker?.kill();
  await machine?.close();
});

beforeEach(() => {
  watch = new TrainerWatch();
});

afterEach(async () => {
  expect(await watch.stop(), 'most trainers of one job at once').toBe(1);
});

class TrainerWatch {
  #isOver = false;
  readonly #most: Promise<number>;

  constructor() {
    this.#most = this.#look();
  }

  /** The most trainers of one job that were seen at once. */
  stop(): Promise<number> {
    this.#isOver = true;
    return this.#most;
  }

  async #look(): Promise<number> {
    let most = 0;
    while (!this.#isOver) {
      const jobs = machine.programs('train').map(({ request }) => request);
      most = Math.max(most, ...jobs.map((job) => jobs.filter((each) => each === job).length));
      await sleep(50);
    }
    return most;
  }
}

function pidOf(name: 'train' | 'convert', { model }: RealRun): Promise<number> {
  return seen(`anneal_training.${name} of ${model}`, () => machine.programs(name, model)[0]?.pid);
}

/** Empty before the first one, and while a line is being written. */
async function eventsOf({ model }: RealRun): Promise<Event[]> {
  const job = await machine.jobOf(model);
  try {
    return job ? readEvents(job.path) : [];
  } catch {
    return [];
  }
}

function untilStep(run: RealRun, step: number): Promise<true> {
  return seen(`step ${step} of ${run.model}`, async () =>
    (await eventsOf(run)).some((event) => event.event === 'step' && event.step >= step) ? true : undefined,
  );
}

/** The steps after which its trainers began. */
async function startsOf(run: RealRun): Promise<number[]> {
  const starts = (await eventsOf(run)).filter(({ event }) => event === 'start');
  return starts.map(({ resumedFromStep }) => resumedFromStep);
}

async function supervisorOf({ model }: RealRun): Promise<number> {
  const path = (await machine.jobOf(model))?.path ?? '';
  return JSON.parse(readFileSync(join(path, 'supervisor.json'), 'utf8')).pid;
}

async function replaceWorker(...killedWithIt: number[]): Promise<void> {
  const died = worker.kill();
  for (const pid of killedWithIt) process.kill(pid, 'SIGKILL');
  await died;
  worker = await spawnWorker(machine.service);
}

async function hashOf(uri: string): Promise<string> {
  const hash = createHash('sha256');
  const body = await machine.service.dependencies.objects.read(uri);
  if (!body) throw new Error(`There is no ${uri}`);
  for await (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}

/** Follows the run to its one artifact, whose files are what manifest and registry say. Returns the adapter's hash. */
async function adapterOf({ model, handle }: RealRun): Promise<string> {
  expect(await handle.result()).toMatchObject({
    outcome: 'promoted',
    champion: 1,
  } satisfies Partial<RunResult>);
  const { objects, registry } = machine.service.dependencies;
  const stored = await objects.list(`s3://anneal/models/${model}/jobs/`);
  const [manifest = '', ...otherManifests] = stored.filter((uri) => uri.endsWith('/manifest.json'));
  const [weights = '', ...otherWeights] = stored.filter((uri) => uri.endsWith('.safetensors'));
  expect([...otherManifests, ...otherWeights]).toEqual([]);
  const { adapterSha256 } = JSON.parse((await objects.getText(manifest)) ?? '');
  expect(await hashOf(weights)).toBe(adapterSha256);
  const artifact = (await registry.champion(model))?.artifact;
  expect(stored.filter((uri) => uri.endsWith('.gguf'))).toEqual([artifact?.uri]);
  expect(await hashOf(artifact?.uri ?? '')).toBe(artifact?.sha256);
  expectNothingAtWork(model);
  return adapterSha256;
}

function expectNothingAtWork(model: string): void {
  const names = ['train', 'convert', 'parity'] as const;
  expect(names.flatMap((name) => machine.programs(name, model))).toEqual([]);
  expect(readdirSync(join(machine.home.path, 'local/conversions'))).toEqual([]);
}

/** Of two trainers the second went on from a checkpoint, and their adapter is that of an undisturbed run. */
async function expectResumed(run: RealRun, fromStep: number): Promise<void> {
  expect(await adapterOf(run)).toBe(undisturbed);
  const [first, resumed, ...others] = await startsOf(run);
  expect([first, others]).toEqual([0, []]);
  expect(resumed).toBeGreaterThanOrEqual(fromStep);
}

describe('real weights: kill -9', () => {
  it('of the worker before the first step: the training goes on', async () => {
    const run = await machine.start();
    await pidOf('train', run);
    await replaceWorker();
    expect(await adapterOf(run)).toBe(undisturbed);
    expect(await startsOf(run)).toEqual([0]);
  });

  it('of the worker in the middle of training: the training goes on', async () => {
    const run = await machine.start();
    await untilStep(run, 4);
    await replaceWorker();
    expect(await adapterOf(run)).toBe(undisturbed);
    expect(await startsOf(run)).toEqual([0]);
  });

  it('of the trainer in the middle of training: it resumes from its checkpoint', async () => {
    const run = await machine.start();
    const trainer = await pidOf('train', run);
    await untilStep(run, 5);
    process.kill(trainer, 'SIGKILL');
    await expectResumed(run, 3);
  });

  it('of worker, supervisor and trainer at once: the next worker resumes it', async () => {
    const run = await machine.start();
    const trainer = await pidOf('train', run);
    await untilStep(run, 7);
    await replaceWorker(await supervisorOf(run), trainer);
    await expectResumed(run, 6);
  });

  it('of the worker in the middle of the conversion: its program ends with it, and one file is made', async () => {
    const run = await machine.start();
    const converter = await pidOf('convert', run);
    await replaceWorker();
    const converters = () => machine.programs('convert', run.model).map(({ pid }) => pid);
    await expect.poll(converters).not.toContain(converter);
    expect(await adapterOf(run)).toBe(undisturbed);
    expect(await startsOf(run)).toEqual([0]);
  });
});

describe('real weights: a cancel', () => {
  async function cancel({ handle, model }: RealRun): Promise<void> {
    await handle.cancel();
    expect(await machine.service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    expectNothingAtWork(model);
    const left = readdirSync((await machine.jobOf(model))?.path ?? machine.home.path);
    expect(left.filter((name) => /adapter|checkpoint|data|partial/.test(name))).toEqual([]);
    const stored = await machine.service.dependencies.objects.list(`s3://anneal/models/${model}/jobs/`);
    expect(stored.filter((uri) => /\.gguf$|\.safetensors$|manifest\.json$/.test(uri))).toEqual([]);
  }

  it('in the middle of training leaves no process and no half file', async () => {
    const run = await machine.start();
    await untilStep(run, 2);
    await cancel(run);
  });

  it('in the middle of the conversion leaves no process and no half file', async () => {
    const run = await machine.start();
    await pidOf('convert', run);
    await cancel(run);
  });
});
