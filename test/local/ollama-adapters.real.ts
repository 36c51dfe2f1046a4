import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tagOf } from '../../src/activities/deployment/ollama/host.js';
import { createOllamaApi } from '../../src/activities/inference/ollama/api.js';
import { describeDeploymentTarget } from '../contract/deployment-target.contract.js';
import { describeGgufTarget } from '../contract/gguf-target.contract.js';
import { requireSetup } from './programs.js';
import { type AdapterKit, createAdapterKit, expectOwnAnswers, guestQuestion } from './support/adapters.js';
import { type GgufMachine, sha256Of, startGgufHome } from './support/gguf-machine.js';
import { type RunningOllama, startOllama } from './support/programs-of-servers.js';
import { createOllamaMachine } from './support/server-machines.js';

const settings = { contextTokens: 512, keepAliveMinutes: 60, threads: 1 };

let folder: string;
let ollama: RunningOllama;
let machine: GgufMachine;
let kit: AdapterKit;
let modelIds: string[];

beforeAll(async () => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal ollama adapters '));
  ollama = await startOllama(folder);
  const base = await startGgufHome();
  kit = await createAdapterKit(folder, base, 3, 'f16');
  machine = createOllamaMachine({ ...base, storeModel: kit.store }, settings, ollama.url);
  modelIds = [];
  for (const name of ['first', 'second']) {
    modelIds.push(await machine.storeModel(name, await kit.newAdapter()));
  }
});

afterAll(async () => {
  await machine?.close();
  await ollama?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function put(file: Buffer): Promise<string> {
  const path = await machine.storeModel('forged', file);
  const body = await machine.store.read(path);
  if (body) await createOllamaApi(ollama.url).pushBlob(sha256Of(file), body);
  return `sha256:${sha256Of(file)}`;
}

/** Somebody makes a deployment's tag of other files. */
async function replaceTag(name: string, files: { base?: string; adapter: string }): Promise<void> {
  const record = await machine.newRecords().open(name);
  if (record === null) throw new Error(`there is no deployment ${name}`);
  await createOllamaApi(ollama.url).create({
    model: tagOf(record),
    files: { 'model.gguf': files.base ?? `sha256:${kit.base.sha256}` },
    adapters: { 'adapter.gguf': files.adapter },
    license: [`Made by Anneal for deployment ${name}.`],
  });
}

describeDeploymentTarget('Ollama with adapters', async () => {
  const [modelId = '', otherModelId = ''] = modelIds;
  return machine.fixture(modelId, otherModelId);
});

describeGgufTarget('Ollama with adapters', async () => ({
  machine,
  newFile: kit.newAdapter,
  forge: async ({ name }, other) => replaceTag(name, { adapter: await put(other) }),
  remains: () => ollama.models(),
}));

describe('adapters in Ollama', () => {
  it('answers each by its own, on one file of the base model', async () => {
    const deploymentIds: string[] = [];
    for (const [index, modelId] of modelIds.entries()) {
      deploymentIds.push((await machine.deploy(`own-${index}`, modelId)).deploymentId);
    }
    const client = machine.newClient();
    await expectOwnAnswers(
      async (modelId) => (await client.ask({ ...guestQuestion, modelId })).text,
      deploymentIds,
    );
  });

  it('is not asked where the adapter lies on another base model', async () => {
    const { deploymentId } = await machine.deploy('moved', modelIds[0] ?? '');
    const record = await machine.newRecords().open('moved');
    const otherKit = await createAdapterKit(folder, machine, 4, 'f16');
    const other = await machine.store.read(otherKit.base.uri);
    if (other) await createOllamaApi(ollama.url).pushBlob(otherKit.base.sha256, other);
    await replaceTag('moved', {
      base: `sha256:${otherKit.base.sha256}`,
      adapter: `sha256:${record?.model.sha256}`,
    });
    await expect(machine.newClient().ask({ ...guestQuestion, modelId: deploymentId })).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringContaining(
        `SHA-256 ${otherKit.base.sha256}, not the deployed ${kit.base.sha256}`,
      ),
    });
    await machine.newTarget().delete('moved');
  });
});
