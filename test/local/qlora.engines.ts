import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import {
  hyperparameters,
  prepareTraining,
  python,
  requireModule,
  requireSetup,
  run,
  start,
  type TrainingFolder,
} from './programs.js';

let prepared: TrainingFolder;
let folder: string;
let baseModel: string;
let undisturbed: Awaited<ReturnType<typeof run>>;

const quantized = { ...hyperparameters, maximumSteps: 8, baseModelQuantization: 'nf4' };

beforeAll(async () => {
  requireSetup();
  requireModule('bitsandbytes');
  prepared = prepareTraining('qlora', { hyperparameters: quantized });
  ({ folder, baseModel } = prepared);
  undisturbed = await run('train', prepared.request('undisturbed'));
});

afterAll(() => prepared?.remove());

describe('QLoRA', () => {
  it('learns on a base model in 4 bits: not the losses of the whole one, and they fall', async () => {
    const { events, errors } = undisturbed;
    expect(events.at(-1), errors).toMatchObject({ status: 'completed' });
    expect(events[0]).toMatchObject({ event: 'start', engine: 'torch' });
    const losses = events.flatMap(({ trainingLoss }) => trainingLoss ?? []);
    expect(Math.max(...losses.slice(-3))).toBeLessThan(Math.min(...losses.slice(0, 3)) - 0.5);
    const whole = { ...quantized, maximumSteps: 1, baseModelQuantization: 'none' };
    const first = (await run('train', prepared.request('whole', { hyperparameters: whole }))).events.find(
      ({ event }) => event === 'step',
    );
    expect(losses[0]).not.toBe(first?.trainingLoss);
    expect(losses[0]).toBeCloseTo(first?.trainingLoss, 1);
  });

  it('goes on after SIGTERM to the very adapter of an undisturbed run', async () => {
    const job = prepared.request('stopped');
    const program = start('train', job);
    await program.seen(({ event, step }) => event === 'step' && step === 3);
    program.kill('SIGTERM');
    expect((await program.ended).events.at(-1)).toMatchObject({ status: 'stopped' });
    const resumed = await run('train', job);
    expect(resumed.events[0]?.resumedFromStep).toBeGreaterThanOrEqual(3);
    expect(resumed.events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
  });

  it('learns the same with and without evaluations in between', async () => {
    const { events } = await run('train', prepared.request('unevaluated', { validationFile: null }));
    expect(events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
  });

  it('merges the adapter with the weights of full precision', async () => {
    const adapter = join(folder, 'undisturbed/adapter');
    const path = join(folder, 'merged.gguf');
    const outputs = [{ format: 'f16', path }];
    const directory = join(folder, 'conversion');
    const ended = await run('convert', { directory, baseModel, adapter, outputs, name: 'tiny', threads: 1 });
    expect(ended.events.at(-1), ended.errors).toMatchObject({ status: 'completed' });
    const { stdout, stderr } = spawnSync(
      python,
      [
        join(repositoryRoot, 'test/local/merged_difference.py'),
        join(repositoryRoot, 'training'),
        baseModel,
        adapter,
        path,
      ],
      { encoding: 'utf8' },
    );
    expect(stdout, stderr).not.toBe('');
    const { fromMerged, fromBase } = JSON.parse(stdout) as { fromMerged: number; fromBase: number };
    // Half a unit in the last place of 16 bits, for weights below 1.
    expect(fromMerged).toBeLessThan(2.5e-4);
    expect(fromBase).toBeGreaterThan(1e-3);
    expect(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')).not.toContain('4bit');
  });
});
