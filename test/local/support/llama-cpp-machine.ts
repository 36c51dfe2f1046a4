import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectStore } from '../../../src/activities/dataset/object-store.js';
import { createModelFiles } from '../../../src/activities/deployment/llama-cpp/model-files.js';
import { createLlamaCppTarget } from '../../../src/activities/deployment/llama-cpp/target.js';
import type { DeploymentTarget } from '../../../src/activities/deployment/target.js';
import type { InferenceClient } from '../../../src/activities/inference/client.js';
import { createLlamaCppInferenceClient } from '../../../src/activities/inference/llama-cpp/client.js';
import type { LlamaEngine } from '../../../src/activities/inference/llama-cpp/engine.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../../src/domain/deployment.js';
import type { DeploymentTargetFixture } from '../../contract/deployment-target.contract.js';
import { newObjectStore, tags } from '../../support/bedrock-training.js';
import { startTestSandbox } from '../../support/sandbox.js';

/** A home of one's own, and a sandbox's S3 with models in it. */
export interface LlamaCppMachine {
  readonly home: string;
  readonly store: ObjectStore;
  /** Made anew: what another worker, or this one after a crash, would use. */
  newTarget(engine?: LlamaEngine): DeploymentTarget;
  newClient(engine?: LlamaEngine, loadedModels?: number): InferenceClient;
  /** Uploads a file with its manifest, or with another one; returns the model's identifier. */
  storeModel(name: string, file: Buffer, manifest?: Record<string, unknown>): Promise<string>;
  request(name: string, modelId: string, settings?: Record<string, unknown>): DeploymentRequest;
  /** Creates a deployment and waits until it is ready. */
  deploy(name: string, modelId: string): Promise<DeploymentReference>;
  /** Looks at a deployment until it is as it should be. */
  until(
    deployment: DeploymentReference,
    isReached: (description: DeploymentDescription) => boolean,
  ): Promise<DeploymentDescription>;
  pathOf(...names: string[]): string;
  modelFiles(): Promise<string[]>;
  /** What the shared suite needs besides. */
  fixture(modelId: string, otherModelId: string): DeploymentTargetFixture;
  close(): Promise<void>;
}

export async function startLlamaCppMachine(usualEngine: LlamaEngine): Promise<LlamaCppMachine> {
  const sandbox = await startTestSandbox();
  const store = await newObjectStore(sandbox.newClients());
  const home = await mkdtemp(join(tmpdir(), 'anneal-test-llama-cpp-'));
  const pathOf = (...names: string[]) => join(home, 'local', ...names);
  const files = () => createModelFiles({ objects: store, home });
  const machine: LlamaCppMachine = {
    home,
    store,
    pathOf,
    newTarget: (engine = usualEngine) =>
      createLlamaCppTarget({ objects: store, home, files: files(), engine }),
    newClient: (engine = usualEngine, loadedModels) =>
      createLlamaCppInferenceClient({ home, files: files(), engine, loadedModels }),
    storeModel: async (name, file, manifest) => {
      const uri = `s3://${store.bucket}/models/${name}.gguf`;
      const sha256 = createHash('sha256').update(file).digest('hex');
      const truth = { sha256, bytes: file.length, format: 'gguf', baseModel: 'tiny' };
      await store.put(uri, file);
      await store.put(`${uri}.json`, JSON.stringify({ ...truth, ...manifest }));
      return uri;
    },
    request: (name, modelId, settings = {}) => ({
      target: 'llama-cpp',
      name,
      idempotencyToken: `${name}-deployment-1`,
      modelId,
      tags,
      settings,
    }),
    deploy: async (name, modelId) => {
      const deployment = await machine.newTarget().create(machine.request(name, modelId));
      await machine.until(deployment, ({ status }) => status === 'ready');
      return deployment;
    },
    until: async (deployment, isReached) => {
      const target = machine.newTarget();
      const deadline = Date.now() + 20_000;
      for (;;) {
        const description = await target.describe(deployment);
        if (description && isReached(description)) return description;
        if (Date.now() > deadline) throw new Error(`${deployment.name} is ${JSON.stringify(description)}`);
        await sleep(20);
      }
    },
    modelFiles: () => readdir(pathOf('models')),
    fixture: (modelId, otherModelId) => fixtureOf(machine, modelId, otherModelId),
    close: async () => {
      await rm(home, { recursive: true, force: true });
      await sandbox.close();
    },
  };
  return machine;
}

function fixtureOf(machine: LlamaCppMachine, modelId: string, otherModelId: string): DeploymentTargetFixture {
  const { pathOf, newTarget } = machine;
  const recordOf = (name: string) => pathOf('deployments', `${name}.json`);
  const request = (name: string) => machine.request(name, modelId, { contextTokens: 2048, threads: 1 });
  const client = machine.newClient();
  return {
    newTarget: () => newTarget(),
    request,
    refusedRequest: (name) => ({ ...request(name), modelId: modelId.replace('.gguf', '-absent.gguf') }),
    otherModelId,
    createStrangers: async (name) => {
      await newTarget().create(request(name));
      const record = JSON.parse(await readFile(recordOf(name), 'utf8'));
      const strangers = { ...record, request: { ...record.request, tags: {} } };
      await writeFile(recordOf(name), JSON.stringify(strangers));
    },
    count: async (name) => (existsSync(recordOf(name)) ? 1 : 0),
    answers: async ({ deploymentId }) => {
      const turns = [{ role: 'user' as const, text: 'Which colour has item 1?' }];
      const question = { modelId: deploymentId, system: null, turns, maxTokens: 8, temperature: 0 };
      return (await client.ask(question)).text !== '';
    },
    deleteAll: async () => {
      await mkdir(pathOf('deployments'), { recursive: true });
      for (const file of await readdir(pathOf('deployments'))) {
        await newTarget().delete(file.replace('.json', ''));
        await rm(pathOf('deployments', file), { force: true });
      }
    },
    readyWithinMs: 20_000,
  };
}
