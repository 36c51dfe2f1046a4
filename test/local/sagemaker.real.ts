import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLocalConverter } from '../../src/activities/conversion/local/converter.js';
import type { ObjectInventory, ObjectStore } from '../../src/activities/dataset/object-store.js';
import type { AdapterManifest } from '../../src/activities/training/local/artifact.js';
import type { TrainingProvider } from '../../src/activities/training/provider.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
} from '../../src/domain/training-job.js';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import {
  baseModel,
  followJob,
  newInventory,
  newSageMakerProvider,
  sageMakerRequest,
  storeText,
  trainingDirectory,
} from '../support/sagemaker-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { makeTinyModel, python, requireSetup, writeConversations } from './programs.js';

const withinMs = 800_000;
const quick = {
  epochCount: 10,
  batchSize: 4,
  rank: 8,
  alpha: 16,
  learningRate: 0.01,
  maximumSequenceLength: 128,
};

let home: string;
let sandbox: TestSandbox;
let store: ObjectStore & ObjectInventory;
let provider: TrainingProvider;
let records: string;

beforeAll(async () => {
  requireSetup();
  home = mkdtempSync(join(tmpdir(), 'anneal-sagemaker-test-'));
  const model = makeTinyModel(join(home, 'local/base-models', baseModel), 1);
  // Real time: the programs run as fast as they run.
  sandbox = await startTestSandbox({ training: 'real', python, trainingHours: 0.005 }, 1);
  const clients = sandbox.newClients();
  store = await newInventory(clients);
  provider = newSageMakerProvider(clients, store);
  for (const name of readdirSync(model)) {
    await store.putFile(`s3://anneal-tests/base-models/${baseModel}/${name}`, join(model, name));
  }
  records = readFileSync(writeConversations(join(home, 'training.jsonl')), 'utf8');
});

afterAll(async () => {
  await sandbox?.close();
  rmSync(home, { recursive: true, force: true });
});

async function submit(
  jobName: string,
  hyperparameters: Readonly<Record<string, number>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<TrainingJobReference> {
  const training = await storeText(store, `${jobName}/training.jsonl`, records);
  const given = { hyperparameters: { ...quick, ...hyperparameters }, settings };
  return provider.submit(sageMakerRequest(provider, jobName, training, given));
}

async function setFaults(...faults: FaultScript['faults']): Promise<void> {
  const init = { method: 'PUT', body: JSON.stringify({ faults }) };
  expect((await fetch(`${sandbox.endpoint}/_anneal/faults`, init)).ok).toBe(true);
}

/** An hour of the sandbox in a second until the job says so; then real time again. */
async function passUntil(job: TrainingJobReference, rawStatus: string): Promise<void> {
  const setScale = (scale: number) =>
    fetch(`${sandbox.endpoint}/_anneal/clock`, { method: 'POST', body: JSON.stringify({ scale }) });
  await setScale(3600);
  for (;;) {
    const now = await provider.describe(job);
    if (now.rawStatus === rawStatus) break;
    if (isTerminal(now.status)) throw new Error(`${job.jobName} is ${now.rawStatus}: ${now.progress}`);
    await sleep(50);
  }
  await setScale(1);
}

async function awaitStep(job: TrainingJobReference, step: number): Promise<TrainingJobDescription> {
  for (;;) {
    const description = await provider.describe(job);
    const reached = Number(/step (\d+)/.exec(description.progress)?.[1] ?? 0);
    if (reached >= step) return description;
    if (description.status === 'failed') throw new Error(description.failureMessage ?? '');
    await sleep(100);
  }
}

it('trains with the real program, and its adapter becomes a GGUF file', async () => {
  const job = await submit('real', { maximumSteps: 8 });
  const last = (await followJob(provider, job, withinMs)).at(-1);
  expect(last, JSON.stringify(last)).toMatchObject({ status: 'succeeded', rawStatus: 'Completed' });
  expect(last?.trainingLoss).toBeGreaterThan(0);
  const manifest = JSON.parse((await store.getText(last?.modelId ?? '')) ?? '') as AdapterManifest;
  expect(manifest).toMatchObject({ provider: 'sagemaker', device: 'cpu', steps: 8 });

  const converter = createLocalConverter({
    objects: store,
    home,
    python,
    trainingDirectory,
    environment: process.env,
  });
  const artifact = await converter.convert(
    { modelName: 'real', modelId: last?.modelId ?? '', baseModel, quantization: 'q8_0' },
    () => {},
    new AbortController().signal,
  );
  expect(artifact).toMatchObject({ format: 'gguf', metadata: { architecture: 'llama' } });
});

it('goes on from its checkpoint on another machine when a spot instance is taken back', async () => {
  const interrupted = { kind: 'interrupted', afterMinutes: 600, forMinutes: 600 } as const;
  await setFaults({ operation: 'CreateTrainingJob', nth: 1, fault: interrupted });
  const job = await submit(
    'spot',
    { epochCount: 50, checkpointSteps: 2, batchSize: 1 },
    { spot: true, maximumMinutes: 7200, maximumWaitMinutes: 40_320 },
  );
  await setFaults();
  await awaitStep(job, 3);
  await passUntil(job, 'InProgress/Interrupted');
  await passUntil(job, 'InProgress/Training');
  const seen = await followJob(provider, job, withinMs);
  expect(seen.at(-1), JSON.stringify(seen.at(-1))).toMatchObject({ status: 'succeeded' });
  const folder = (seen.at(-1)?.modelId ?? '').replace('manifest.json', '');
  const events = ((await store.getText(`${folder}events.jsonl`)) ?? '').trimEnd().split('\n');
  const starts = events.map((line) => JSON.parse(line)).filter(({ event }) => event === 'start');
  expect(starts).toHaveLength(2);
  expect(starts[1].resumedFromStep).toBeGreaterThan(0);
});

it('stops gracefully when it is cancelled', async () => {
  const job = await submit('cancelled', { epochCount: 50, batchSize: 1 });
  await awaitStep(job, 1);
  await provider.cancel('cancelled');
  const last = (await followJob(provider, job, withinMs)).at(-1);
  expect(last).toMatchObject({ status: 'cancelled', rawStatus: 'Stopped', modelId: null });
  expect(await store.list('s3://anneal-tests/models/orders/jobs/cancelled/checkpoints/')).not.toEqual([]);
});

it('is stopped by its limit of time, and what it left is not used', async () => {
  const job = await submit('capped', { epochCount: 50, batchSize: 1 }, { maximumMinutes: 600 });
  await awaitStep(job, 1);
  await passUntil(job, 'Stopping');
  const last = (await followJob(provider, job, withinMs)).at(-1);
  expect(last).toMatchObject({ status: 'failed', rawStatus: 'Stopped/MaxRuntimeExceeded', modelId: null });
});

it("fails with the trainer's own reason", async () => {
  // Longer than any record may be.
  const path = writeConversations(join(home, 'long.jsonl'), (name) => `${name} `.repeat(200));
  records = readFileSync(path, 'utf8');
  const job = await submit('too-long', { maximumSequenceLength: 64 });
  const last = (await followJob(provider, job, withinMs)).at(-1);
  expect(last).toMatchObject({ status: 'failed', rawStatus: 'Failed' });
  expect(last?.failureMessage).toMatch(/^AlgorithmError: .*maximumSequenceLength.*, exit code: 1$/s);
});
