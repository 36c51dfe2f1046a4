import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hyperparameters, realBaseModel, requireSetup, run, writeConversations } from './programs.js';

let folder: string;

beforeAll(() => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal-chain-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('trains SmolLM2-135M-Instruct for ten steps and makes a q8_0 file of the result', async () => {
  const trained = await run('train', {
    directory: join(folder, 'training'),
    baseModel: realBaseModel,
    trainingFile: writeConversations(join(folder, 'training.jsonl')),
    validationFile: null,
    hyperparameters: { ...hyperparameters, batchSize: 1, learningRate: 0.001, dropout: 0 },
    threads: 1,
  });
  expect(trained.events.at(-1), trained.errors).toMatchObject({ status: 'completed' });
  const losses = trained.events.filter(({ event }) => event === 'step').map((event) => event.trainingLoss);
  expect(losses).toHaveLength(10);
  expect(losses[9]).toBeLessThan(losses[0] / 2);

  const path = join(folder, 'model.gguf');
  const converted = await run('convert', {
    directory: join(folder, 'conversion'),
    baseModel: realBaseModel,
    adapter: join(folder, 'training/adapter'),
    outputs: [{ format: 'q8_0', path }],
    name: 'stylist',
    threads: 1,
  });
  expect(converted.events.at(-1), converted.errors).toMatchObject({ status: 'completed' });
  expect(converted.events.find(({ event }) => event === 'file')).toMatchObject({
    path,
    metadata: { architecture: 'llama', contextLength: 8192, eosTokenId: 2, tensorCount: 272, fileType: 7 },
  });
});
