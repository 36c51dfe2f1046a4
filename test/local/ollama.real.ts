import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tagOf } from '../../src/activities/deployment/ollama/host.js';
import type { ModelQuestion } from '../../src/activities/inference/client.js';
import { createOllamaApi } from '../../src/activities/inference/ollama/api.js';
import { createRegistry } from '../../src/activities/registry/postgres-registry.js';
import type { DeploymentReference } from '../../src/domain/deployment.js';
import { describeDeploymentTarget } from '../contract/deployment-target.contract.js';
import { describeGgufTarget } from '../contract/gguf-target.contract.js';
import { describeInferenceClient } from '../contract/inference-client.contract.js';
import { createTestDatabase } from '../support/postgres.js';
import { startTestServers } from '../support/servers.js';
import { convertToGguf, makeTinyModel, python, realBaseModel, requireSetup } from './programs.js';
import { colourSchema, colours, recipeSchemas } from './support/answer-schemas.js';
import { type GgufMachine, startGgufHome } from './support/gguf-machine.js';
import { type RunningOllama, startOllama } from './support/programs-of-servers.js';
import { createOllamaMachine } from './support/server-machines.js';

const settings = { contextTokens: 2048, keepAliveMinutes: 60, threads: 1 };

let folder: string;
let ollama: RunningOllama;
let machine: GgufMachine;
let modelIds: string[];
let seed = 0;

beforeAll(async () => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal ollama '));
  ollama = await startOllama(folder);
  machine = createOllamaMachine(await startGgufHome(), settings, ollama.url);
  modelIds = [];
  for (const name of ['first', 'second']) modelIds.push(await machine.storeModel(name, await newFile()));
});

afterAll(async () => {
  await machine?.close();
  await ollama?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Random weights, but a real tokenizer, a real chat template and a real conversion. */
async function newFile(): Promise<Buffer> {
  seed += 1;
  return convertToGguf(folder, makeTinyModel(join(folder, `tiny-${seed}`), seed), 'q8_0');
}

async function tagOfDeployment({ name }: DeploymentReference): Promise<string> {
  const record = await machine.newRecords().open(name);
  if (record === null) throw new Error(`there is no deployment ${name}`);
  return tagOf(record);
}

describeDeploymentTarget('Ollama', async () => {
  const [modelId = '', otherModelId = ''] = modelIds;
  return machine.fixture(modelId, otherModelId);
});

describeGgufTarget('Ollama', async () => ({
  machine,
  newFile,
  forge: async (deployment, other) => {
    const api = createOllamaApi(ollama.url);
    const model = await tagOfDeployment(deployment);
    const path = await machine.storeModel('forged', other);
    const body = await machine.store.read(path);
    const { sha256 } = JSON.parse((await machine.store.getText(`${path}.json`)) ?? '');
    if (body) await api.pushBlob(sha256, body);
    const license = [`Made by Anneal for deployment ${deployment.name}.`];
    await api.create({ model, files: { 'model.gguf': `sha256:${sha256}` }, license });
  },
  remains: () => ollama.models(),
}));

describeInferenceClient('Ollama', async () => {
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

describe('Ollama', () => {
  const question: Omit<ModelQuestion, 'modelId'> = {
    system: null,
    turns: [{ role: 'user', text: 'What is the capital of France?' }],
    maxTokens: 24,
    temperature: 0,
  };

  it('answers real weights as PyTorch does, from the same tokens', async () => {
    const file = await convertToGguf(folder, realBaseModel, 'f16');
    const { deploymentId } = await machine.deploy('real', await machine.storeModel('real', file));
    const answer = await machine.newClient().ask({ ...question, modelId: deploymentId });
    const program =
      'import json, sys; from transformers import AutoTokenizer; ' +
      'tokenizer = AutoTokenizer.from_pretrained(sys.argv[1]); ' +
      'text = tokenizer.apply_chat_template(json.loads(sys.argv[2]), tokenize=False, add_generation_prompt=True); ' +
      'print(len(tokenizer(text, add_special_tokens=False)["input_ids"]))';
    const messages = [{ role: 'user', content: question.turns[0]?.text }];
    const { stdout, stderr } = spawnSync(python, ['-c', program, realBaseModel, JSON.stringify(messages)], {
      encoding: 'utf8',
    });
    expect(answer.inputTokens, stderr).toBe(Number(stdout));
    expect(answer.text).toContain('Paris');
    expect(answer.stopReason).toBe('end_turn');
    console.log(
      `Ollama, SmolLM2-135M f16: first token after ${answer.timeToFirstTokenMs} ms, ${answer.tokensPerSecond} tokens/s`,
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
  });

  it('refuses a prompt that does not fit, instead of cutting it', async () => {
    const { deploymentId } = await machine.deploy('short', modelIds[0] ?? '');
    const turns = [{ role: 'user' as const, text: 'word '.repeat(5000) }];
    await expect(
      machine.newClient().ask({ ...question, turns, modelId: deploymentId }),
    ).rejects.toMatchObject({ type: 'ProviderRejected' });
  });

  it("leaves a tag alone that somebody else has made under a deployment's name", async () => {
    const request = machine.request('taken', modelIds[0] ?? '');
    const { sha256, bytes } = JSON.parse((await machine.store.getText(`${request.modelId}.json`)) ?? '');
    const tag = tagOf({ request, model: { sha256, bytes, format: 'gguf', baseModel: 'tiny' } });
    const api = createOllamaApi(ollama.url);
    const body = await machine.store.read(request.modelId);
    if (body) await api.pushBlob(sha256, body);
    await api.create({ model: tag, files: { 'model.gguf': `sha256:${sha256}` } });
    await expect(machine.newTarget().create(request)).rejects.toMatchObject({
      type: 'Conflict',
      message: expect.stringContaining(`ollama rm ${tag}`),
    });
    await machine.newTarget().delete('taken');
    expect(await ollama.models()).toContain(tag);
    await api.delete(tag);
  });

  it('makes a tag again that somebody has deleted', async () => {
    const deployment = await machine.deploy('deleted', modelIds[0] ?? '');
    await createOllamaApi(ollama.url).delete(await tagOfDeployment(deployment));
    await machine.until(deployment, ({ status }) => status === 'creating');
    await machine.until(deployment, ({ status }) => status === 'ready');
  });

  it('answers 32 clients of an alias without one failure while the champion is switched, rolled back and switched again, and the old one deleted', async () => {
    const servers = await startTestServers();
    const { database, drop } = await createTestDatabase(servers.databaseUrl);
    try {
      const registry = createRegistry(database);
      const author = { workflowId: 'fine-tune/switched', runId: 'run-1' };
      const versions: DeploymentReference[] = [];
      for (const [index, modelId] of modelIds.entries()) {
        const deployment = await machine.deploy(`switched-${index}`, modelId);
        const { version } = await registry.registerVersion(author, {
          model: 'switched',
          recipe: 'conversation',
          provider: 'local',
          baseModel: 'tiny',
          modelName: `switched-${index}`,
          modelId,
          jobName: `switched-${index}`,
          datasetSha256: `${index}`.repeat(64),
          datasetManifestUri: 's3://anneal/manifest.json',
          fingerprint: `${index}`.repeat(64),
        });
        await registry.recordDeployment(author, 'switched', version, { ...deployment, usdPerHour: 0 });
        versions.push(deployment);
      }
      let runs = 0;
      const promote = (version: number, action: 'promote' | 'rollback' = 'promote') => {
        runs += 1;
        const by = { workflowId: `${action}/switched`, runId: `run-${runs}` };
        return registry.promote(by, { model: 'switched', version, action, deployedBy: 'a test', notes: '' });
      };
      await promote(1);
      const answered = new Map<string, number>();
      let isOver = false;
      const client = machine.newClient();
      const ask = async () => {
        while (!isOver) {
          const modelId = (await registry.champion('switched'))?.deployment?.deploymentId ?? '';
          const { outputTokens } = await client.ask({ ...question, modelId, maxTokens: 2 });
          expect(outputTokens).toBeGreaterThan(0);
          answered.set(modelId, (answered.get(modelId) ?? 0) + 1);
        }
      };
      const clients = Promise.all(Array.from({ length: 32 }, ask));
      const [before, after] = versions.map(({ deploymentId }) => deploymentId) as [string, string];
      /** Two more answers for each client: time enough that all of them have asked anew. */
      const twiceByAll = async (modelId: string) => {
        const count = answered.get(modelId) ?? 0;
        while ((answered.get(modelId) ?? 0) < count + 64) await Promise.race([sleep(50), clients]);
      };
      await twiceByAll(before);
      await promote(2);
      await twiceByAll(after);
      await promote(1, 'rollback');
      await twiceByAll(before);
      await promote(2);
      await twiceByAll(after);
      await machine.newTarget().delete('switched-0');
      await twiceByAll(after);
      isOver = true;
      await clients;
      console.log(
        `switches: ${answered.get(before)} answers of one, ${answered.get(after)} of the other, no failure`,
      );
    } finally {
      await drop();
      await servers.close();
    }
  });
});
