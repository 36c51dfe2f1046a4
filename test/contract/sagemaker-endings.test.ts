import { StopTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectInventory, ObjectStore } from '../../src/activities/dataset/object-store.js';
import type { AdapterManifest } from '../../src/activities/training/local/artifact.js';
import type { TrainingProvider } from '../../src/activities/training/provider.js';
import type { AwsClients } from '../../src/aws/clients.js';
import type { StoredFile } from '../../src/domain/dataset.js';
import type { SandboxLedger, SandboxMetrics } from '../../src/sandbox/admin.js';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { storeDataset } from '../support/bedrock-training.js';
import {
  followJob,
  newInventory,
  newSageMakerProvider,
  sageMakerRequest,
  storeBaseModelStandIn,
} from '../support/sagemaker-training.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';

const withinMs = 60_000;

let sandbox: TestSandbox;
let clients: AwsClients;
let store: ObjectStore & ObjectInventory;
let provider: TrainingProvider;
let training: StoredFile;

beforeAll(async () => {
  // A job takes three seconds: long enough to be seen and stopped on a busy machine.
  sandbox = await startTestSandbox({}, 1200);
  clients = sandbox.newClients();
  store = await newInventory(clients);
  await storeBaseModelStandIn(store);
  training = await storeDataset(store, 'endings/train.jsonl');
  provider = newSageMakerProvider(clients, store);
});

afterAll(async () => {
  const { invalidResponses } = await admin<SandboxMetrics>('metrics');
  await sandbox?.close();
  expect(invalidResponses).toEqual([]);
});

async function admin<T>(what: string, init?: RequestInit): Promise<T> {
  const response = await fetch(`${sandbox.endpoint}/_anneal/${what}`, init);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}

function setFaults(...faults: FaultScript['faults']): Promise<unknown> {
  return admin('faults', { method: 'PUT', body: JSON.stringify({ faults }) });
}

function request(jobName: string, settings: Readonly<Record<string, unknown>> = {}) {
  return sageMakerRequest(provider, jobName, training, { settings });
}

async function usdOf(jobName: string): Promise<number> {
  const { entries } = await admin<SandboxLedger>('ledger');
  return entries.find((entry) => entry.name === jobName && entry.usd !== null)?.usd ?? Number.NaN;
}

async function createsOf(jobName: string): Promise<number> {
  const { entries } = await admin<SandboxLedger>('ledger');
  return entries.filter((entry) => entry.name === jobName && entry.action === 'create').length;
}

describe('a create whose reply is lost', () => {
  it('was carried out: the job is found and adopted', async () => {
    await setFaults({ operation: 'CreateTrainingJob', nth: 1, fault: { kind: 'timeoutAfterCommit' } });
    const job = await provider.submit(request('lost-reply'));
    expect(job.jobId).toMatch(/:training-job\/lost-reply$/);
    expect(await createsOf('lost-reply')).toBe(1);
  });

  it('was not carried out: it is sent again by the client, and once', async () => {
    await setFaults({ operation: 'CreateTrainingJob', nth: 1, fault: { kind: 'reset' } });
    await provider.submit(request('cut-off'));
    expect(await createsOf('cut-off')).toBe(1);
  });

  it('finds its own name taken, and adopts no job that was started with other settings', async () => {
    await setFaults();
    await provider.submit(request('changed'));
    await expect(provider.submit(request('changed', { volumeGb: 60 }))).rejects.toMatchObject({
      type: 'Conflict',
      message: expect.stringContaining('with other settings'),
    });
  });

  it('waits where the quota is full', async () => {
    await setFaults({ operation: 'CreateTrainingJob', nth: 'always', fault: { kind: 'capacity' } });
    await expect(provider.submit(request('no-room'))).rejects.toMatchObject({ name: 'WaitingForQuota' });
    await setFaults();
    expect(await provider.find('no-room')).toBeNull();
  });
});

describe('a job that ends', () => {
  it('by itself leaves the adapter that conversion reads, and is billed by the second', async () => {
    await setFaults();
    const job = await provider.submit(request('complete'));
    const seen = await followJob(provider, job, withinMs);
    expect(seen.map(({ rawStatus }) => rawStatus)).toEqual(
      expect.arrayContaining(['InProgress/Training', 'Completed']),
    );
    const last = seen.at(-1);
    expect(last?.modelId).toBe('s3://anneal-tests/models/orders/jobs/complete/manifest.json');
    const manifest = JSON.parse((await store.getText(last?.modelId ?? '')) ?? '') as AdapterManifest;
    expect(manifest).toMatchObject({ provider: 'sagemaker', modelName: 'complete', device: 'simulated' });
    expect(manifest.files.map(({ path }) => path)).toContain('adapter/adapter_model.safetensors');
    expect(last?.billedHours).toBeGreaterThan(0.9);
    expect(await usdOf('complete')).toBeCloseTo((last?.billedHours ?? 0) * 1.408, 6);
  });

  it('at its limit of time has failed, and says which setting to raise', async () => {
    const job = await provider.submit(request('capped', { maximumMinutes: 20 }));
    const last = (await followJob(provider, job, withinMs)).at(-1);
    expect(last).toMatchObject({ status: 'failed', rawStatus: 'Stopped/MaxRuntimeExceeded', modelId: null });
    expect(last?.failureMessage).toMatch(/after 20 min .*model\.tar\.gz\) is unfinished.*maximumMinutes/);
    expect(last?.billedHours).toBeLessThan(0.5);
  });

  it('because somebody else stopped it is cancelled', async () => {
    const job = await provider.submit(request('stopped-outside'));
    await clients.sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: 'stopped-outside' }));
    const last = (await followJob(provider, job, withinMs)).at(-1);
    expect(last).toMatchObject({ status: 'cancelled', rawStatus: 'Stopped', modelId: null });
  });

  it("with an error has the container's own reason", async () => {
    const failureMessage = 'AlgorithmError: The loss at step 3 is nan., exit code: 1';
    const fault = { kind: 'jobFailed', stage: 'training', afterMinutes: 5, failureMessage } as const;
    await setFaults({ operation: 'CreateTrainingJob', nth: 1, fault });
    const job = await provider.submit(request('nan-loss'));
    await setFaults();
    const last = (await followJob(provider, job, withinMs)).at(-1);
    expect(last).toMatchObject({ status: 'failed', rawStatus: 'Failed', failureMessage });
    expect(last?.billedHours).toBeGreaterThan(0);
  });
});

describe('a job on a spot instance that is taken back', () => {
  const taken = (forMinutes: number) => ({
    operation: 'CreateTrainingJob',
    nth: 1,
    fault: { kind: 'interrupted', afterMinutes: 20, forMinutes } as const,
  });

  it('goes on elsewhere, and costs less than its time', async () => {
    await setFaults(taken(15));
    const job = await provider.submit(request('spot', { spot: true }));
    await setFaults();
    const seen = await followJob(provider, job, withinMs);
    expect(seen.find(({ rawStatus }) => rawStatus === 'InProgress/Interrupted')).toMatchObject({
      status: 'pending',
      progress: expect.stringContaining('goes on from its checkpoint'),
    });
    expect(seen.at(-1)).toMatchObject({ status: 'succeeded', progress: expect.stringContaining('once') });
    expect(seen.at(-1)?.billedHours).toBeLessThan(0.5);
  });

  it('fails when no other one comes in time', async () => {
    await setFaults(taken(600));
    const settings = { spot: true, maximumMinutes: 60, maximumWaitMinutes: 90 };
    const job = await provider.submit(request('waited', settings));
    await setFaults();
    const last = (await followJob(provider, job, withinMs)).at(-1);
    expect(last).toMatchObject({ status: 'failed', rawStatus: 'Stopped/MaxWaitTimeExceeded' });
    expect(last?.failureMessage).toContain('training.settings.maximumWaitMinutes');
  });
});

it('a deleted model is not published again, and leaves nothing in the bucket', async () => {
  const job = await provider.submit(request('deleted'));
  await followJob(provider, job, withinMs);
  await provider.deleteModel('deleted');
  expect(await provider.describe(job)).toMatchObject({ status: 'succeeded', modelId: null });
  expect(await store.list('s3://anneal-tests/models/orders/jobs/deleted/')).toEqual([]);
  expect(await store.list('s3://anneal-tests/sagemaker-models/deleted')).toEqual([]);
});

it('the training programs are stored once, under their hash', async () => {
  await provider.submit(request('code-1'));
  await provider.submit(request('code-2'));
  const archives = await store.list('s3://anneal-tests/code/');
  expect(archives).toHaveLength(1);
  expect(archives[0]).toMatch(/\/code\/[0-9a-f]{64}\/sourcedir\.tar\.gz$/);
});

describe('settings', () => {
  const problemsOf = (settings: Readonly<Record<string, unknown>>, baseModel = 'tiny') => {
    try {
      provider.resolve({ baseModel, hyperparameters: {}, settings, records: null });
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each([
    [{ instanceType: 'ml.g5.xlarg' }, /instanceType: found "ml\.g5\.xlarg".*Did you mean "ml\.g5\.xlarge"/s],
    [
      { spot: true, maximumMinutes: 60, maximumWaitMinutes: 30 },
      /maximumWaitMinutes.*maximumMinutes \(60\)/s,
    ],
    [{ maximumWaitMinutes: 300 }, /maximumWaitMinutes.*without "spot": true/s],
    [{ maximumMinutes: 0 }, /maximumMinutes.*whole minutes from 1 to 7200/s],
    [{ role: 'x' }, /role/],
  ])('%j are refused', (settings, expected) => {
    expect(problemsOf(settings)).toMatch(expected);
  });

  it('resolve to themselves, and to a price by the hour and its limit', () => {
    const input = { baseModel: 'tiny', hyperparameters: {}, records: null };
    for (const settings of [{}, { spot: true }]) {
      const once = provider.resolve({ ...input, settings });
      expect(provider.resolve({ ...input, settings: once.settings })).toEqual(once);
      expect(once).toMatchObject({ byHour: { machine: 'ml.g5.xlarge', usdPerHour: 1.408, maximumHours: 2 } });
    }
  });
});

it('a sweep needs no permission to look at SageMaker where no role for it is named', async () => {
  await setFaults({ operation: 'ListTrainingJobs', nth: 'always', fault: { kind: 'accessDenied' } });
  try {
    await expect(provider.listOwned(null)).rejects.toThrow('ListTrainingJobs');
    const withoutRole = newSageMakerProvider(clients, store, null);
    expect(await withoutRole.listOwned(null)).toMatchObject({ resources: [], next: null });
  } finally {
    await setFaults();
  }
});
