import { afterAll, beforeAll, expect, it } from 'vitest';
import { convertedBaseModelsFolder } from '../../src/activities/conversion/converter.js';
import type { RunResult } from '../../src/domain/run-state.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';
import { type RealMachine, startRealMachine } from './support/real-machine.js';

let machine: RealMachine;
let worker: WorkerProcess;

beforeAll(async () => {
  machine = await startRealMachine();
  worker = await spawnWorker(machine.service);
});

afterAll(async () => {
  await worker?.kill();
  await machine?.close();
});

it('trains two models whose adapters share one file of their base model, serves both, and gives them back', {
  timeout: 900_000,
}, async () => {
  const { registry, objects } = machine.service.dependencies;
  const more = { conversion: { form: 'adapter', parity: { prompts: 2, answerTokens: 16 } } };
  const answers = [(name: string) => `Yes, ${name}.`, (name: string) => `${name}? No.`];
  const bases: (string | undefined)[] = [];
  const models: string[] = [];
  for (const answer of answers) {
    const { model, handle } = await machine.start({}, answer, more);
    expect(await handle.result()).toMatchObject({ outcome: 'promoted', champion: 1, spendUsd: 0 });
    const champion = await registry.champion(model);
    expect(champion).toMatchObject({ artifact: { format: 'gguf' }, deployment: { target: 'llama-cpp' } });
    expect(champion?.artifact?.bytes).toBeLessThan((champion?.artifact?.base?.bytes ?? 0) / 10);
    bases.push(champion?.artifact?.base?.uri);
    models.push(model);
  }
  expect(bases[0]).toContain(`/${convertedBaseModelsFolder}/`);
  expect(bases[1]).toBe(bases[0]);

  for (const model of models) {
    const tornDown = await machine.service.execute<RunResult>('teardown', { model, force: true });
    expect(tornDown.outcome).toBe('tornDown');
    expect(await objects.list(`s3://anneal/models/${model}/jobs/`)).toEqual([]);
  }
});
