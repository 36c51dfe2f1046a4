import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectStore } from '../../../src/activities/dataset/object-store.js';
import type { DeploymentRecords } from '../../../src/activities/deployment/gguf/records.js';
import type { DeploymentTarget } from '../../../src/activities/deployment/target.js';
import type { InferenceClient } from '../../../src/activities/inference/client.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../../src/domain/deployment.js';
import type { DeploymentTargetFixture } from '../../contract/deployment-target.contract.js';
import { newObjectStore, tags } from '../../support/bedrock-training.js';
import { startTestSandbox } from '../../support/sandbox.js';

/** A home of one's own, and a sandbox's S3 with models in it. */
export interface GgufHome {
  readonly home: string;
  readonly store: ObjectStore;
  /** Of the sandbox that holds it. */
  readonly endpoint: string;
  /** Uploads a file with its manifest, or with another one; returns the model's identifier. */
  storeModel(name: string, file: Buffer, manifest?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

/** What a target of GGUF files brings along. */
export interface GgufServing {
  readonly name: string;
  /** What the shared suite asks for: every setting that has a default. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Made anew: what another worker, or this one after a crash, would use. */
  newTarget(): DeploymentTarget;
  newClient(): InferenceClient;
  newRecords(): DeploymentRecords;
  readonly readyWithinMs: number;
}

/** A place where GGUF files are served. */
export interface GgufMachine extends GgufHome, GgufServing {
  request(name: string, modelId: string): DeploymentRequest;
  /** Creates a deployment and waits until it is ready. */
  deploy(name: string, modelId: string): Promise<DeploymentReference>;
  /** Looks at a deployment until it is as it should be. */
  until(
    deployment: DeploymentReference,
    isReached: (description: DeploymentDescription) => boolean,
  ): Promise<DeploymentDescription>;
  /** What the shared suite needs besides. */
  fixture(modelId: string, otherModelId: string): DeploymentTargetFixture;
}

export async function startGgufHome(): Promise<GgufHome> {
  const sandbox = await startTestSandbox();
  const store = await newObjectStore(sandbox.newClients());
  const home = await mkdtemp(join(tmpdir(), 'anneal-test-gguf-'));
  return {
    home,
    store,
    endpoint: sandbox.endpoint,
    storeModel: async (name, file, manifest) => {
      const uri = `s3://${store.bucket}/models/${name}.gguf`;
      const truth = { sha256: sha256Of(file), bytes: file.length, format: 'gguf', baseModel: 'tiny' };
      await store.put(uri, file);
      await store.put(`${uri}.json`, JSON.stringify({ ...truth, ...manifest }));
      return uri;
    },
    close: async () => {
      await rm(home, { recursive: true, force: true });
      await sandbox.close();
    },
  };
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function createGgufMachine(home: GgufHome, serving: GgufServing): GgufMachine {
  const { name: target, settings, readyWithinMs, newTarget } = serving;
  const machine: GgufMachine = {
    ...home,
    ...serving,
    request: (name, modelId) => ({
      target,
      name,
      idempotencyToken: `${name}-deployment-1`,
      modelId,
      tags,
      settings,
    }),
    deploy: async (name, modelId) => {
      const deployment = await newTarget().create(machine.request(name, modelId));
      await machine.until(deployment, ({ status }) => status === 'ready');
      return deployment;
    },
    until: async (deployment, isReached) => {
      const looking = newTarget();
      const deadline = Date.now() + readyWithinMs;
      for (;;) {
        const description = await looking.describe(deployment);
        if (description && isReached(description)) return description;
        if (Date.now() > deadline) throw new Error(`${deployment.name} is ${JSON.stringify(description)}`);
        await sleep(50);
      }
    },
    fixture: (modelId, otherModelId) => fixtureOf(machine, modelId, otherModelId),
  };
  return machine;
}

function fixtureOf(machine: GgufMachine, modelId: string, otherModelId: string): DeploymentTargetFixture {
  const { newTarget, newRecords, readyWithinMs } = machine;
  const request = (name: string) => machine.request(name, modelId);
  const client = machine.newClient();
  return {
    newTarget,
    request,
    refusedRequest: (name) => ({ ...request(name), modelId: modelId.replace('.gguf', '-absent.gguf') }),
    otherModelId,
    createStrangers: async (name) => {
      await newTarget().create(request(name));
      const record = await newRecords().open(name);
      if (!record) throw new Error(`there is no record of ${name}`);
      await newRecords().replace({ ...record, request: { ...record.request, tags: {} } });
    },
    count: async (name) => ((await newRecords().open(name)) === null ? 0 : 1),
    answers: async ({ deploymentId }) => {
      const turns = [{ role: 'user' as const, text: 'Which colour has item 1?' }];
      const question = { modelId: deploymentId, system: null, turns, maxTokens: 8, temperature: 0 };
      return (await client.ask(question)).text !== '';
    },
    deleteAll: async () => {
      for (const { request: made } of await newRecords().list()) {
        const record = await newRecords().open(made.name);
        if (record) await newRecords().replace({ ...record, request: { ...record.request, tags } });
        await newTarget().delete(made.name);
      }
    },
    readyWithinMs,
  };
}
