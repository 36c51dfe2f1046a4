import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  hyperparameters,
  prepareTraining,
  readEvents,
  requireSetup,
  run,
  start,
  type TrainingFolder,
  writeConversations,
} from './programs.js';

let prepared: TrainingFolder;
let folder: string;
let baseModel: string;
let trainingFile: string;
/** What an undisturbed run makes; every disturbed one has to make the same. */
let undisturbed: Awaited<ReturnType<typeof run>>;

beforeAll(async () => {
  requireSetup();
  prepared = prepareTraining('training');
  ({ folder, baseModel, trainingFile } = prepared);
  undisturbed = await run('train', prepared.request('undisturbed'));
});

afterAll(() => prepared?.remove());

/** A safetensors file begins with the length of its header, in eight bytes. */
function tensorNames(path: string): string[] {
  const file = readFileSync(path);
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString()) as object;
  return Object.keys(header).filter((name) => name !== '__metadata__');
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

describe('training', () => {
  it('learns: ten steps, a falling loss, checkpoints, a validation loss, and an adapter with its hash', () => {
    const { code, events } = undisturbed;
    const steps = events.filter(({ event }) => event === 'step');
    const losses = steps.map(({ trainingLoss }) => trainingLoss);
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({ event: 'start', steps: 10, resumedFromStep: 0 });
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(Math.max(...losses.slice(-3))).toBeLessThan(Math.min(...losses.slice(0, 3)) - 0.5);
    expect(steps[3]).toMatchObject({ epoch: 1, steps: 10, tokensPerSecond: expect.any(Number) });
    const checkpoints = events.filter(({ event }) => event === 'checkpoint');
    expect(checkpoints.map(({ step }) => step)).toEqual([3, 6, 9, 10]);
    const validations = events.filter(({ event }) => event === 'validation');
    expect(validations.map(({ step }) => step)).toEqual([4, 8, 10]);
    expect(validations[2]?.validationLoss).toBeLessThan(validations[0]?.validationLoss);
    const adapter = join(folder, 'undisturbed/adapter/adapter_model.safetensors');
    expect(events.at(-1)).toMatchObject({
      event: 'end',
      status: 'completed',
      adapterSha256: sha256(adapter),
    });
    expect(readEvents(join(folder, 'undisturbed'))).toEqual(events);
  });

  it('stops on SIGTERM with a checkpoint, and goes on to the very adapter of an undisturbed run', async () => {
    const job = prepared.request('stopped');
    const program = start('train', job);
    await program.seen(({ event, step }) => event === 'step' && step === 4);
    program.kill('SIGTERM');
    const stopped = await program.ended;
    expect(stopped).toMatchObject({ code: 0, signal: null });
    expect(stopped.events.at(-1)).toMatchObject({ event: 'end', status: 'stopped', adapterSha256: null });
    expect(readdirSync(job.directory)).not.toContain('adapter');

    const resumed = await run('train', job);
    const lastStep = Math.max(...stopped.events.map(({ step }) => step ?? 0));
    expect(resumed.events[0]).toMatchObject({ event: 'start', resumedFromStep: lastStep });
    expect(resumed.events.find(({ event }) => event === 'step')?.step).toBe(lastStep + 1);
    expect(resumed.events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
    expect(readEvents(job.directory)).toEqual([...stopped.events, ...resumed.events]);
  });

  it('resumes from its last checkpoint after kill -9, also with a half-written event and checkpoint', async () => {
    const job = prepared.request('killed');
    const program = start('train', job);
    await program.seen(({ event, step }) => event === 'step' && step === 8);
    program.kill('SIGKILL');
    expect((await program.ended).signal).toBe('SIGKILL');
    appendFileSync(join(job.directory, 'events.jsonl'), '{"event":"st');
    appendFileSync(join(job.directory, 'checkpoints/step-00000009.partial'), 'half');
    const checkpoints = readdirSync(join(job.directory, 'checkpoints')).filter((name) =>
      name.endsWith('.checkpoint'),
    );
    const newest = checkpoints.sort().at(-1) as string;
    truncateSync(join(job.directory, 'checkpoints', newest), 1000);

    const resumed = await run('train', job);
    expect(resumed.events[0]).toMatchObject({ event: 'start', resumedFromStep: 3 });
    expect(resumed.events.at(-1)).toMatchObject({
      status: 'completed',
      adapterSha256: undisturbed.events.at(-1)?.adapterSha256,
    });
    expect(readEvents(job.directory).at(-1)).toEqual(resumed.events.at(-1));
    expect(readdirSync(job.directory).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('refuses a second trainer on the same folder with code 75, and the first goes on', async () => {
    const job = prepared.request('twice');
    const first = start('train', job);
    await first.seen(({ event }) => event === 'start');
    const second = await run('train', job);
    expect(second).toMatchObject({ code: 75, events: [] });
    expect(second.errors).toContain(`Another process works in ${job.directory}`);
    expect((await first.ended).events.at(-1)).toMatchObject({ status: 'completed' });
  });

  it('ends at once when it was finished already, with the same hash', async () => {
    const again = await run('train', prepared.request('undisturbed'));
    expect(again.events.filter(({ event }) => event === 'step')).toEqual([]);
    expect(again.events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
  });

  it('ends early where it is asked to, says why, and a stop in between changes nothing', async () => {
    const early = {
      hyperparameters: {
        ...hyperparameters,
        evaluationSteps: 2,
        plateauEvaluations: 2,
        // No loss falls by so much.
        plateauImprovement: 10,
      },
    };
    const ended = await run('train', prepared.request('early', early));
    expect(ended.events.at(-1), ended.errors).toMatchObject({ event: 'end', status: 'completed' });
    const steps = ended.events.filter(({ event }) => event === 'step').map(({ step }) => step);
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ended.events.find(({ event }) => event === 'earlyStop')).toMatchObject({
      step: 6,
      steps: 10,
      reason: expect.stringMatching(/^the validation loss did not fall by more than 10 in 2 evaluations/),
    });
    const losses = ended.events.filter(({ event }) => event === 'validation');
    const lowest = losses.reduce((best, each) => (each.validationLoss < best.validationLoss ? each : best));
    const { step, validationLoss } = lowest;
    expect(ended.events.find(({ event }) => event === 'best')).toMatchObject({ step, validationLoss });

    const stopped = start('train', prepared.request('early-stopped', early));
    await stopped.seen((event) => event.event === 'step' && event.step === 4);
    stopped.kill('SIGTERM');
    expect((await stopped.ended).events.at(-1)).toMatchObject({ status: 'stopped' });
    const resumed = await run('train', prepared.request('early-stopped', early));
    expect(resumed.events.at(-1)?.adapterSha256).toBe(ended.events.at(-1)?.adapterSha256);
  });

  it('never continues a checkpoint with other data', async () => {
    const other = writeConversations(join(folder, 'other.jsonl'), (name) => name);
    const { code, events } = await run('train', prepared.request('undisturbed', { trainingFile: other }));
    expect(code).toBe(0);
    expect(events.at(-1)).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/checkpoints of other data.*Remedy/),
    });
  });

  it('names file and line of a record that it cannot use, and writes nothing', async () => {
    const broken = join(folder, 'broken.jsonl');
    cpSync(trainingFile, broken);
    appendFileSync(broken, '{"messages":[{"role":"user","content":[{"text":"no answer"}]}]}\n');
    const job = prepared.request('broken', { trainingFile: broken });
    const { events } = await run('train', job);
    expect(events.at(-1)?.message).toMatch(/broken\.jsonl:17: the roles are user\. Allowed: .* Remedy: /);
    expect(readdirSync(job.directory)).not.toContain('checkpoints');
  });

  it('refuses records that are longer than the maximum, and says what would do', async () => {
    const short = { ...hyperparameters, maximumSequenceLength: 24 };
    const { events } = await run('train', prepared.request('long', { hyperparameters: short }));
    expect(events.at(-1)?.message).toMatch(
      /16 of 16 records are longer than maximumSequenceLength 24;.* Remedy: set maximumSequenceLength to \d+/,
    );
  });

  it('refuses a base model that is cut off, with found and expected size', async () => {
    const truncated = join(folder, 'truncated');
    cpSync(baseModel, truncated, { recursive: true });
    const weights = join(truncated, 'model.safetensors');
    const { size } = statSync(weights);
    truncateSync(weights, size - 1);
    const job = prepared.request('truncated-base', { baseModel: truncated });
    const { events } = await run('train', job);
    expect(events.at(-1)).toMatchObject({
      event: 'end',
      status: 'failed',
      message: expect.stringContaining(`is cut off: ${size - 1} bytes found, ${size} expected. Remedy: `),
    });
    expect(readdirSync(job.directory).sort()).toEqual(['events.jsonl', 'lock', 'train.json']);
  });

  it('learns the same from a batch in parts, where each part has as many answers', async () => {
    const plain = { ...hyperparameters, dropout: 0, maximumSteps: 3 };
    const inParts = { ...plain, batchSize: 1, gradientAccumulationSteps: 4 };
    const whole = await run(
      'train',
      prepared.request('whole', { hyperparameters: plain, validationFile: null }),
    );
    const parts = await run(
      'train',
      prepared.request('parts', { hyperparameters: inParts, validationFile: null }),
    );
    const losses = (events: typeof whole.events) => events.flatMap(({ trainingLoss }) => trainingLoss ?? []);
    expect(losses(whole.events)).toHaveLength(3);
    expect(losses(parts.events)).toHaveLength(3);
    for (const [index, loss] of losses(whole.events).entries())
      expect(losses(parts.events)[index]).toBeCloseTo(loss, 3);
  });

  it('ends with the very same adapter where activations are computed twice to save memory', async () => {
    const saving = { ...hyperparameters, gradientCheckpointing: true };
    const { events } = await run('train', prepared.request('saving', { hyperparameters: saving }));
    expect(events.at(-1)?.adapterSha256).toBe(undisturbed.events.at(-1)?.adapterSha256);
  });

  it('trains the layers that are named alone, and refuses a name that the model has not', async () => {
    const some = { ...hyperparameters, maximumSteps: 2, targetModules: 'q_proj,v_proj' };
    const { events, errors } = await run('train', prepared.request('some', { hyperparameters: some }));
    expect(events.at(-1), errors).toMatchObject({ status: 'completed' });
    const names = tensorNames(join(folder, 'some/adapter/adapter_model.safetensors'));
    expect(names).toHaveLength(8);
    expect(names.filter((name) => !/\.(q_proj|v_proj)\.lora_[AB]\.weight$/.test(name))).toEqual([]);

    const wrong = { ...hyperparameters, targetModules: 'q_proj,vproj' };
    const refused = await run('train', prepared.request('no-such-layer', { hyperparameters: wrong }));
    expect(refused.events.at(-1)?.message).toMatch(
      /targetModules names "vproj", which this base model has not\. Allowed: .*v_proj.* Remedy: /,
    );
  });

  it('says what it trains with, and which engine this machine has not', async () => {
    expect(undisturbed.events[0]).toMatchObject({ device: expect.any(String), engine: 'torch' });
    const { events } = await run('train', prepared.request('other-engine', { engine: 'jax' }));
    expect(events.map(({ event }) => event)).toEqual(['end']);
    expect(events[0]?.message).toMatch(/engine is "jax"\. Allowed: auto, torch, mlx\. Remedy: /);
  });

  it('says which hyperparameter is wrong', async () => {
    const wrong = { ...hyperparameters, learningRate: -1 };
    const { events } = await run('train', prepared.request('wrong', { hyperparameters: wrong }));
    expect(events.at(-1)?.message).toMatch(/hyperparameters\.learningRate is -1\. Allowed: .* Remedy: /);
  });
});
