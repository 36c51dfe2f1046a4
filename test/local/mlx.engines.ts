import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import {
  hyperparameters,
  makeTinyModel,
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

/** Few and small steps: a processor is not what MLX is made for. */
const few = { ...hyperparameters, batchSize: 1, maximumSteps: 6, checkpointSteps: 2 };

beforeAll(async () => {
  requireSetup();
  requireModule('mlx_lm');
  prepared = prepareTraining('mlx', { validationFile: null, hyperparameters: few, engine: 'mlx' });
  ({ folder, baseModel } = prepared);
  undisturbed = await run('train', prepared.request('undisturbed'));
});

afterAll(() => prepared?.remove());

describe('MLX', () => {
  it('learns, says where, and leaves an adapter with its hash', () => {
    const { events, errors } = undisturbed;
    expect(events.at(-1), errors).toMatchObject({ status: 'completed' });
    expect(events[0]).toMatchObject({ event: 'start', engine: 'mlx', steps: 6 });
    expect(['cpu', 'metal']).toContain(events[0]?.device);
    const losses = events.flatMap(({ trainingLoss }) => trainingLoss ?? []);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) - 0.5);
  });

  it('goes on after SIGTERM and after kill -9 to the very adapter of an undisturbed run', async () => {
    const job = prepared.request('disturbed');
    const stopped = start('train', job);
    await stopped.seen(({ event, step }) => event === 'step' && step === 1);
    stopped.kill('SIGTERM');
    expect((await stopped.ended).events.at(-1)).toMatchObject({ status: 'stopped' });
    const killed = start('train', job);
    await killed.seen(({ event, step }) => event === 'checkpoint' && step === 4);
    killed.kill('SIGKILL');
    await killed.ended;
    const resumed = await run('train', job);
    expect(resumed.events[0]?.resumedFromStep).toBeGreaterThanOrEqual(4);
    expect(resumed.events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
  });

  it('learns as PyTorch does, and PEFT reads its adapter as MLX does', () => {
    const job = prepared.request('compared', { hyperparameters: { ...few, maximumSteps: 3 } });
    mkdirSync(job.directory);
    const path = join(job.directory, 'train.json');
    writeFileSync(path, JSON.stringify(job));
    const program = join(repositoryRoot, 'test/local/compare_engines.py');
    const { stdout, stderr } = spawnSync(python, [program, join(repositoryRoot, 'training'), path], {
      encoding: 'utf8',
    });
    expect(stdout, stderr).toMatch(/^\{/);
    const { losses, logitDifference, logitChange } = JSON.parse(stdout);
    expect(losses.torch).toHaveLength(3);
    for (const [step, [loss, learningRate]] of losses.torch.entries()) {
      expect(losses.mlx[step][0]).toBeCloseTo(loss, 3);
      expect(losses.mlx[step][1]).toBeCloseTo(learningRate, 6);
    }
    expect(logitChange).toBeGreaterThan(0.1);
    // 32 bits on a processor; Apple's GPU computes the base model in 16.
    expect(logitDifference).toBeLessThan(undisturbed.events[0]?.device === 'cpu' ? 1e-4 : 0.1);
  });

  it('converts as any other adapter', async () => {
    const ended = await run('convert', {
      directory: join(folder, 'conversion'),
      baseModel,
      adapter: join(folder, 'undisturbed/adapter'),
      outputs: [
        { format: 'q8_0', path: join(folder, 'tiny-q8_0.gguf') },
        { format: 'adapter', path: join(folder, 'tiny-adapter.gguf') },
      ],
      name: 'tiny',
      threads: 1,
    });
    expect(ended.events.at(-1), ended.errors).toMatchObject({ status: 'completed' });
    expect(readFileSync(join(folder, 'tiny-adapter.gguf')).subarray(0, 4).toString()).toBe('GGUF');
  });

  it('never continues what PyTorch began, and says so', async () => {
    const job = prepared.request('begun-with-torch', { hyperparameters: { ...few, maximumSteps: 2 } });
    await run('train', { ...job, engine: 'torch' });
    const { events } = await run('train', job);
    expect(events.at(-1)).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/checkpoints of the engine torch, which mlx cannot continue\. Remedy: /),
    });
  });

  it('is what Apple silicon takes by itself, unless the weights are to be in 4 bits', () => {
    const program = `
import json, platform, sys
# Before the machine is made another: what it imports looks for Apple's libraries there.
import mlx_lm.utils
from pathlib import Path
from anneal_training.engines import choose_engine
from anneal_training.program import Problem
platform.system, platform.machine = lambda: "Darwin", lambda: "arm64"
base = Path(sys.argv[1])
def choose(engine, quantization):
    try: return choose_engine(engine, base, {"baseModelQuantization": quantization})
    except Problem as problem: return str(problem)
print(json.dumps([choose("auto", "none"), choose("torch", "none"), choose("mlx", "nf4")]))
(base / "config.json").write_text('{"model_type": "unheard-of"}')
print(json.dumps([choose("auto", "none"), choose("mlx", "none")]))
`;
    const other = makeTinyModel(join(folder, 'other'), 2);
    const { stdout, stderr } = spawnSync(python, ['-c', program, other], {
      cwd: join(repositoryRoot, 'training'),
      encoding: 'utf8',
    });
    const [known, unknown] = stdout.trim().split('\n');
    expect(JSON.parse(known ?? ''), stderr).toEqual([
      'mlx',
      'torch',
      expect.stringContaining('which MLX has not'),
    ]);
    expect(JSON.parse(unknown ?? '')).toEqual([
      'torch',
      expect.stringMatching(/MLX does not know models of type "unheard-of"\. Remedy: engine torch/),
    ]);
  });
});
