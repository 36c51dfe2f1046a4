import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nameOf, type Served } from '../../src/activities/deployment/llama-server/servers.js';
import type { ModelQuestion } from '../../src/activities/inference/client.js';
import { createEndpointInferenceClient } from '../../src/activities/inference/openai-compatible/endpoint.js';
import { processIdentity } from '../../src/activities/process-identity.js';
import { describeDeploymentTarget } from '../contract/deployment-target.contract.js';
import { describeGgufTarget } from '../contract/gguf-target.contract.js';
import { describeInferenceClient } from '../contract/inference-client.contract.js';
import { convertToGguf, makeTinyModel, realBaseModel, requireSetup } from './programs.js';
import { colourSchema, colours, recipeSchemas } from './support/answer-schemas.js';
import { type GgufMachine, startGgufHome } from './support/gguf-machine.js';
import { llamaServerProgram, requireProgram } from './support/programs-of-servers.js';
import { createLlamaServerMachine } from './support/server-machines.js';

const settings = { contextTokens: 2048, threads: 1, parallelQuestions: 1, gpuLayers: 0 };

let folder: string;
let machine: GgufMachine;
let modelIds: string[];
let seed = 0;

beforeAll(async () => {
  requireSetup();
  requireProgram(llamaServerProgram, 'ANNEAL_LLAMA_SERVER');
  folder = mkdtempSync(join(tmpdir(), 'anneal llama-server '));
  machine = createLlamaServerMachine(await startGgufHome(), settings);
  modelIds = [];
  for (const name of ['first', 'second']) modelIds.push(await machine.storeModel(name, await newFile()));
});

afterAll(async () => {
  for (const { request } of (await machine?.newRecords().list()) ?? []) {
    await machine.newTarget().delete(request.name);
  }
  await machine?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Random weights, but a real tokenizer, a real chat template and a real conversion. */
async function newFile(): Promise<Buffer> {
  seed += 1;
  return convertToGguf(folder, makeTinyModel(join(folder, `tiny-${seed}`), seed), 'q8_0');
}

const serversFolder = () => join(machine.home, 'local', 'servers');

async function recordOf(name: string): Promise<Served> {
  return (await machine.newRecords().open(name)) as unknown as Served;
}

async function processOf(name: string): Promise<{ pid: number; port: number }> {
  const path = join(serversFolder(), nameOf(await recordOf(name)), 'server.json');
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Numbers of the processes that serve a deployment, by their command lines. */
function serversOf(record: Served): number[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8', maxBuffer: 1e8 }).split('\n');
  return listed
    .filter((line) => line.includes(`--alias ${nameOf(record)} `) && !line.includes('launch.py'))
    .map((line) => Number(line.trim().split(' ')[0]));
}

describeDeploymentTarget('llama-server', async () => {
  const [modelId = '', otherModelId = ''] = modelIds;
  return machine.fixture(modelId, otherModelId);
});

describeGgufTarget('llama-server', async () => ({
  machine,
  newFile,
  // A server has its file open; another one is met when it starts again.
  forge: async ({ name }, other) => {
    const record = await recordOf(name);
    await writeFile(join(machine.home, 'local', 'models', `${record.model.sha256}.gguf`), other);
    process.kill((await processOf(name)).pid, 'SIGKILL');
    await expect.poll(() => serversOf(record), { timeout: 20_000 }).toEqual([]);
  },
  remains: async () => {
    const folders = [serversFolder(), join(machine.home, 'local', 'models')];
    return folders.filter(existsSync).flatMap((path) => readdirSync(path));
  },
}));

describeInferenceClient('llama-server', async () => {
  const { deploymentId } = await machine.deploy('inference-contract', modelIds[0] ?? '');
  return {
    client: machine.newClient(),
    modelId: deploymentId,
    unknownModelId: deploymentId.replace(/[0-9a-f]{8}$/, 'zzzzzzzz'),
    question: {
      system: 'Answer in one sentence.',
      turns: [{ role: 'user', text: 'Which colour has item 3?' }],
    },
  };
});

describe('llama-server', () => {
  const question: Omit<ModelQuestion, 'modelId'> = {
    system: null,
    turns: [{ role: 'user', text: 'What is the capital of France?' }],
    maxTokens: 24,
    temperature: 0,
  };

  it('answers real weights as they should, and measures how fast', async () => {
    // Untrained and quantised, so small a model answers another city.
    const file = await convertToGguf(folder, realBaseModel, 'f16');
    const { deploymentId } = await machine.deploy('real', await machine.storeModel('real', file));
    const answer = await machine.newClient().ask({ ...question, modelId: deploymentId });
    expect(answer.text).toContain('Paris');
    expect(answer.stopReason).toBe('end_turn');
    console.log(
      `llama-server, SmolLM2-135M f16: first token after ${answer.timeToFirstTokenMs} ms, ${answer.tokensPerSecond} tokens/s`,
    );
    await machine.newTarget().delete('real');
  });

  it('holds an answer to a schema, also to those of the recipes', async () => {
    const { deploymentId } = await machine.deploy('constrained', modelIds[0] ?? '');
    const client = machine.newClient();
    const asked = { ...question, modelId: deploymentId, maxTokens: 60, answerSchema: colourSchema };
    expect(colours).toContain(JSON.parse((await client.ask(asked)).text).colour);
    for (const [recipe, answerSchema] of recipeSchemas()) {
      const { text } = await client.ask({ ...asked, maxTokens: 12, answerSchema });
      expect(text, recipe).toMatch(/^\s*\{/);
    }
    await machine.newTarget().delete('constrained');
  });

  it('is an OpenAI-compatible endpoint like any other: named, measured, held to a schema', async () => {
    await machine.deploy('endpoint', modelIds[0] ?? '');
    const { port } = await processOf('endpoint');
    const client = createEndpointInferenceClient({ url: `http://127.0.0.1:${port}/v1`, apiKey: null });
    const asked = { ...question, modelId: nameOf(await recordOf('endpoint')), maxTokens: 60 };
    const answer = await client.ask({ ...asked, answerSchema: colourSchema });
    expect(colours).toContain(JSON.parse(answer.text).colour);
    expect(answer.inputTokens).toBeGreaterThan(5);
    expect(answer.outputTokens).toBeGreaterThan(1);
    expect(answer.timeToFirstTokenMs).toBeGreaterThan(0);
    await expect(client.ask({ ...asked, modelId: 'another' })).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringContaining(`it serves: ${asked.modelId}`),
    });
    await machine.newTarget().delete('endpoint');
  });

  it('outlives the worker: another one finds the same process', async () => {
    const deployment = await machine.deploy('outliving', modelIds[0] ?? '');
    const before = await processOf('outliving');
    await machine.newClient().ask({ ...question, modelId: deployment.deploymentId, maxTokens: 2 });
    expect(await processOf('outliving')).toEqual(before);
    await machine.newTarget().delete('outliving');
    expect(processIdentity(before.pid)).toBeNull();
  });

  it('that was killed is started again on its port, and never twice, however many look', async () => {
    const deployment = await machine.deploy('killed', modelIds[0] ?? '');
    const record = await recordOf('killed');
    const before = await processOf('killed');
    process.kill(before.pid, 'SIGKILL');
    await expect.poll(() => serversOf(record), { timeout: 20_000 }).toEqual([]);
    const targets = Array.from({ length: 6 }, () => machine.newTarget());
    await Promise.all(targets.map((target) => target.describe(deployment)));
    await machine.until(deployment, ({ status }) => status === 'ready');
    expect(serversOf(record)).toHaveLength(1);
    const after = await processOf('killed');
    expect(after.pid).not.toBe(before.pid);
    await machine.newTarget().delete('killed');
    expect(serversOf(record)).toEqual([]);
  });

  it('says why where it cannot start', async () => {
    const file = Buffer.from(await newFile());
    // Whole by its manifest, and no model inside.
    file.fill(0, file.length - 50_000);
    file.write('nonsense', file.indexOf('general.architecture'));
    const modelId = await machine.storeModel('broken', file);
    const deployment = await machine.newTarget().create(machine.request('broken', modelId));
    const failed = await machine.until(deployment, ({ status }) => status === 'failed');
    expect(failed.failureMessage).toMatch(/llama-server ended 3 times before it answered: .*/);
    await machine.newTarget().delete('broken');
  });
});
