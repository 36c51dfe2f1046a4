import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { readChatFormat } from '../gguf/gguf-header.js';
import { type ModelFiles, requireRoom, toServingState } from '../gguf/model-files.js';
import { bytesOf, type ModelManifest, weightsOf } from '../gguf/model-manifest.js';
import { createRecordsOnDisk } from '../gguf/records.js';
import { createGgufTarget, type ModelHost, type ServingState } from '../gguf/target.js';
import type { DeploymentTarget } from '../target.js';
import type { LlamaServerTools } from './processes.js';
import type { Served, Servers } from './servers.js';
import { type LlamaServerSettings, settingsSchema, targetName } from './settings.js';

export interface LlamaServerTargetOptions {
  readonly objects: ObjectStore;
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  readonly servers: Servers;
  readonly tools: LlamaServerTools;
}

/** GGUF models on this machine, each in a llama-server process that outlives the worker. */
export function createLlamaServerTarget(options: LlamaServerTargetOptions): DeploymentTarget {
  const { objects, home } = options;
  return createGgufTarget({
    name: targetName,
    settings: settingsSchema,
    objects,
    records: createRecordsOnDisk<LlamaServerSettings>(home, targetName),
    host: createHost(options),
  });
}

function createHost({
  objects,
  files,
  servers,
  tools,
}: LlamaServerTargetOptions): ModelHost<LlamaServerSettings> {
  return {
    requireUsable: () => requireServerTools(tools),

    async admit({ name, modelId }, model) {
      await requireRoom(files, name, { modelId, model });
      requireMemory(name, model);
      return readChatFormat(objects, weightsOf({ modelId, model }).uri);
    },

    look: (record) => lookAtServer(files, servers, record),

    async bring(next) {
      await files.fetch(next);
      for (;;) {
        const state = await servers.keepGoing(next);
        if (state.phase === 'ready') return;
        if (state.phase === 'unusable') {
          throw new PermanentFailure('ProviderRejected', `ProviderRejected: ${state.reason}.`);
        }
        await sleep(200);
      }
    },

    async withdraw(record) {
      // The others on the same server are asked on; this one is gone with its record.
      if (!record.model.base) await servers.stop(record);
    },

    async release(record) {
      await servers.stop(record);
      await files.release(record);
    },

    tidy: () => servers.tidy(),
  };
}

/** The file first, then the server. */
async function lookAtServer(files: ModelFiles, servers: Servers, record: Served): Promise<ServingState> {
  const file = await files.look(record);
  return file.phase === 'ready' ? servers.keepGoing(record) : toServingState(file, record.model);
}

/** Throws `PermanentFailure('InvalidInput')` with the remedy. */
export function requireServerTools({ program, python }: LlamaServerTools): void {
  const missing = !existsSync(program)
    ? `there is no ${program}; run "node scripts/build-servers.mjs llama-server", or name yours with ANNEAL_LLAMA_SERVER`
    : !existsSync(python)
      ? `there is no ${python}; run "anneal setup local", or name a Python with ANNEAL_LOCAL_PYTHON`
      : null;
  if (missing === null) return;
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: deployment.target: found "llama-server", but ${missing}.`,
  );
}

function requireMemory(name: string, model: ModelManifest): void {
  const bytes = bytesOf(model);
  if (process.availableMemory() > bytes) return;
  const megabytes = Math.ceil((bytes - process.availableMemory()) / 1e6);
  throw new Obstacle('capacity', `Deployment ${name} needs ${megabytes} MB more of this machine's memory`);
}
