import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseModelName } from '../../src/client/local/layout.js';
import type { RunResult } from '../../src/domain/run-state.js';
import type { SandboxResource } from '../../src/sandbox/admin.js';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { roleArn } from '../support/bedrock-training.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';
import { python, realBaseModel } from './programs.js';
import { type RealMachine, type RealRun, seen, startRealMachine } from './support/real-machine.js';

let machine: RealMachine;
let worker: WorkerProcess;

beforeAll(async () => {
  // Real time: the program runs as fast as it runs.
  machine = await startRealMachine({
    sandbox: { training: 'real', python, trainingHours: 0.005 },
    clockScale: 1,
    environment: { ANNEAL_SAGEMAKER_ROLE_ARN: roleArn },
  });
  const { objects } = machine.service.dependencies;
  for (const name of readdirSync(realBaseModel)) {
    await objects.putFile(`s3://anneal/base-models/${baseModelName}/${name}`, join(realBaseModel, name));
  }
  worker = await spawnWorker(machine.service);
});

afterAll(async () => {
  await worker?.kill();
  await machine?.close();
});

async function setFaults(...faults: FaultScript['faults']): Promise<void> {
  const init = { method: 'PUT', body: JSON.stringify({ faults }) };
  expect((await fetch(`${machine.service.endpoint}/_anneal/faults`, init)).ok).toBe(true);
}

const start = (settings: Readonly<Record<string, unknown>> = {}, hyperparameters = {}) =>
  machine.start({ provider: 'sagemaker', settings, hyperparameters });

/** The training jobs that the run ever had, as the cloud knows them. */
async function jobsOf({ model }: RealRun): Promise<SandboxResource[]> {
  const { resources } = await machine.service.state();
  return resources.filter(({ kind, name }) => kind === 'trainingJob' && name.startsWith(model));
}

describe('fineTune over SageMaker, its container simulated, its program and weights real', () => {
  it('is promoted: one job, a GGUF file, an answer that is asked for; teardown leaves nothing', async () => {
    const run = await start();
    const result = (await run.handle.result()) as RunResult;
    expect(result).toMatchObject({ outcome: 'promoted', champion: 1, verdict: 'passed' });
    expect(result.spendUsd).toBeGreaterThan(0);
    expect(await jobsOf(run)).toMatchObject([{ status: 'Completed' }]);
    const champion = await machine.service.dependencies.registry.champion(run.model);
    expect(champion).toMatchObject({
      provider: 'sagemaker',
      artifact: { metadata: { architecture: 'llama' } },
    });
    const answer = await machine.service.execute<{ source: string }>('infer', {
      recipe: 'conversation',
      model: run.model,
      request: { prompt: 'Guest 3 is called Dan.' },
    });
    expect(answer.source).toMatch(/^model/);

    await machine.service.execute('teardown', { model: run.model, force: true });
    const { objects } = machine.service.dependencies;
    expect(await objects.list(`s3://anneal/models/${run.model}/jobs/`)).toEqual([]);
    expect(await machine.service.live()).toEqual([]);
  });

  it('is promoted although its spot machine is taken back: the next one goes on from the checkpoint', async () => {
    const interrupted = { kind: 'interrupted', afterMinutes: 0.4, forMinutes: 0.1 } as const;
    await setFaults({ operation: 'CreateTrainingJob', nth: 1, fault: interrupted });
    const run = await start(
      { spot: true, maximumMinutes: 60 },
      { maximumSteps: 40, epochCount: 3, checkpointSteps: 2 },
    );
    const result = (await run.handle.result()) as RunResult;
    await setFaults();
    expect(result).toMatchObject({ outcome: 'promoted' });
    expect(await jobsOf(run)).toMatchObject([{ status: 'Completed' }]);
    const { objects } = machine.service.dependencies;
    const stored = await objects.list(`s3://anneal/models/${run.model}/jobs/`);
    const events = await objects.getText(stored.find((uri) => uri.endsWith('/events.jsonl')) ?? '');
    const starts = (events ?? '').split('\n').filter((line) => line.includes('"start"'));
    expect(starts.map((line) => JSON.parse(line).resumedFromStep)).toEqual([0, expect.any(Number)]);
    expect(JSON.parse(starts[1] ?? '').resumedFromStep).toBeGreaterThan(0);
  });

  it('fails when its limit of time is over, says so, and leaves nothing that is billed', async () => {
    const run = await start({ maximumMinutes: 1 }, { epochCount: 50, maximumSteps: 600 });
    expect(await machine.service.endOf(run.handle)).toMatchObject({
      closed: 'failed',
      type: 'TrainingFailed',
      message: expect.stringContaining('MaxRuntimeExceeded'),
    });
    expect(await machine.service.live()).toEqual([]);
  });

  it("fails with the container's own reason", async () => {
    const hyperparameters = { maximumSequenceLength: 64 };
    const run = await machine.start({ provider: 'sagemaker', settings: {}, hyperparameters }, (name) =>
      `${name} `.repeat(99),
    );
    expect(await machine.service.endOf(run.handle)).toMatchObject({
      closed: 'failed',
      type: 'TrainingFailed',
      message: expect.stringMatching(/AlgorithmError: .*longer than maximumSequenceLength 64/),
    });
    expect(await machine.service.live()).toEqual([]);
  });

  it('stops its job when it is cancelled', async () => {
    const run = await start({}, { epochCount: 50, maximumSteps: 600 });
    await seen(`${run.model} in training`, async () =>
      (await jobsOf(run)).find(({ status }) => status === 'InProgress'),
    );
    await run.handle.cancel();
    expect(await machine.service.endOf(run.handle)).toMatchObject({ closed: 'cancelled' });
    expect(await jobsOf(run)).toMatchObject([{ status: 'Stopped' }]);
    expect(await machine.service.live()).toEqual([]);
  });
});
