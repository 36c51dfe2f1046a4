import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { type GgufMachine, sha256Of, startGgufHome } from '../local/support/gguf-machine.js';
import { createLlamaServerMachine } from '../local/support/server-machines.js';
import { chatGguf, tinyGguf } from '../local/support/tiny-gguf.js';
import { describeBaseModelServer } from './base-model-server.contract.js';

/** How processes come and go; the program that stands in for llama-server has no model. */
const program = join(repositoryRoot, 'test/local/support/llama-server.py');
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).trim();
const settings = { contextTokens: 512, threads: 1, parallelQuestions: 2, gpuLayers: 0 };
const base = chatGguf('base');

let machine: GgufMachine;
beforeAll(async () => {
  const home = await startGgufHome();
  const uri = `s3://${home.store.bucket}/base-models/base.gguf`;
  await home.store.put(uri, base);
  const described = { uri, sha256: sha256Of(base), bytes: base.length };
  machine = createLlamaServerMachine(
    {
      ...home,
      storeModel: (name, file, manifest) => home.storeModel(name, file, { base: described, ...manifest }),
    },
    settings,
    { program, python },
  );
});

afterAll(async () => {
  for (const { request } of (await machine?.newRecords().list()) ?? []) {
    await machine.newTarget().delete(request.name);
  }
  await machine?.close();
});

describeBaseModelServer('a stand-in for llama-server', async () => {
  const store = async (name: string) => {
    const file = tinyGguf(name);
    return { modelId: await machine.storeModel(name, file), answer: sha256Of(file) };
  };
  return {
    machine,
    tools: { program, python },
    baseSha256: sha256Of(base),
    question: {
      system: 'Be brief.',
      turns: [{ role: 'user', text: 'Who are you?' }],
      maxTokens: 16,
      temperature: 0,
    },
    adapters: [await store('first'), await store('second'), await store('third')],
    brokenModelId: (await store('broken')).modelId,
  };
});
