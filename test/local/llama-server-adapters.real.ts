import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Served } from '../../src/activities/deployment/llama-server/servers.js';
import { BaseModelServers, describeBaseModelServer } from '../contract/base-model-server.contract.js';
import { describeDeploymentTarget } from '../contract/deployment-target.contract.js';
import { describeGgufTarget } from '../contract/gguf-target.contract.js';
import { python, requireSetup } from './programs.js';
import { type AdapterKit, createAdapterKit, guestQuestion, unreadable } from './support/adapters.js';
import { type GgufMachine, startGgufHome } from './support/gguf-machine.js';
import { llamaServerProgram, requireProgram } from './support/programs-of-servers.js';
import { createLlamaServerMachine } from './support/server-machines.js';

const settings = { contextTokens: 512, threads: 1, parallelQuestions: 2, gpuLayers: 0 };

let folder: string;
let machine: GgufMachine;
let kit: AdapterKit;
let servers: BaseModelServers;

beforeAll(async () => {
  requireSetup();
  requireProgram(llamaServerProgram, 'ANNEAL_LLAMA_SERVER');
  // A comma separates adapters on the command line of llama-server.
  folder = mkdtempSync(join(tmpdir(), 'anneal, adapters '));
  const home = await startGgufHome();
  kit = await createAdapterKit(folder, home, 1);
  machine = createLlamaServerMachine({ ...home, storeModel: kit.store }, settings);
  servers = new BaseModelServers(machine, kit.base.sha256);
});

afterAll(async () => {
  await deleteAll();
  await machine?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function deleteAll(): Promise<void> {
  for (const { request } of (await machine?.newRecords().list()) ?? []) {
    await machine.newTarget().delete(request.name);
  }
}

/** With random weights it says what nobody can know beforehand; alone on its server it says it first. */
async function store(name: string) {
  const modelId = await machine.storeModel(name, await kit.newAdapter());
  const { deploymentId } = await machine.deploy(name, modelId);
  const { text } = await machine.newClient().ask({ ...guestQuestion, modelId: deploymentId });
  await machine.newTarget().delete(name);
  return { modelId, answer: text };
}

describeBaseModelServer('llama-server', async () => ({
  machine,
  tools: { program: llamaServerProgram, python },
  baseSha256: kit.base.sha256,
  question: guestQuestion,
  adapters: [await store('one'), await store('two'), await store('three')],
  brokenModelId: await machine.storeModel('broken', unreadable(await kit.newAdapter())),
}));

describeDeploymentTarget('llama-server with adapters', async () => {
  const modelIds: string[] = [];
  for (const name of ['first', 'second']) {
    modelIds.push(await machine.storeModel(name, await kit.newAdapter()));
  }
  const [modelId = '', otherModelId = ''] = modelIds;
  return machine.fixture(modelId, otherModelId);
});

describeGgufTarget('llama-server with adapters', async () => ({
  machine,
  newFile: kit.newAdapter,
  // A server has its files open; others are met when it starts again.
  forge: async ({ name }, other) => {
    const record = (await machine.newRecords().open(name)) as unknown as Served;
    await writeFile(join(machine.home, 'local', 'models', `${record.model.sha256}.gguf`), other);
    process.kill(servers.newest().pid, 'SIGKILL');
    await servers.untilThereAre(0);
  },
  remains: async () => servers.remains(),
}));
