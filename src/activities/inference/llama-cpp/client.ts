import { existsSync, type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelFiles } from '../../deployment/gguf/model-files.js';
import { filesOf } from '../../deployment/gguf/model-manifest.js';
import {
  createRecordsOnDisk,
  type DeploymentRecord,
  nameIn,
  openServed,
} from '../../deployment/gguf/records.js';
import { type LlamaCppSettings, settingsSchema, targetName } from '../../deployment/llama-cpp/settings.js';
import { hashFile } from '../../hash-file.js';
import { refuseTheImpossible } from '../chat-prompt.js';
import type { InferenceClient } from '../client.js';
import { refused } from '../refused.js';
import { type LlamaEngine, requireInstalled, throwIfWithdrawn } from './engine.js';
import { createLoadedModels, type VerifiedModel } from './loaded-models.js';

export interface LlamaCppInferenceOptions {
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  readonly engine: LlamaEngine;
  /** How many models stay in memory. */
  readonly loadedModels?: number;
}

/** A champion and a candidate. */
const defaultLoadedModels = 2;

/**
 * Asks models inside this process: deployments of the target `llama-cpp`, and base models by the name that
 * training gives them, where `<home>/local/base-models/<name>.gguf` exists. A model is loaded once, after its
 * file was found to be the recorded one, and takes one question at a time; the others wait in line.
 */
export function createLlamaCppInferenceClient(options: LlamaCppInferenceOptions): InferenceClient {
  const { engine, loadedModels = defaultLoadedModels } = options;
  const models = createLoadedModels(engine, loadedModels);
  return {
    name: targetName,

    async ask(question, signal) {
      throwIfWithdrawn(signal);
      refuseTheImpossible(question);
      requireInstalled(engine);
      const model = await findModel(options, question.modelId);
      const askedAtMs = performance.now();
      return models.use(model, signal, async (loaded) => {
        // Neither the line nor loading counts: they are this machine's, not the model's.
        const startedAtMs = performance.now();
        const answer = await loaded.answer(question, signal);
        const first = answer.timeToFirstTokenMs;
        return {
          ...answer,
          latencyMs: performance.now() - startedAtMs,
          timeToFirstTokenMs: first === null ? null : first + startedAtMs - askedAtMs,
        };
      });
    },
  };
}

async function findModel(options: LlamaCppInferenceOptions, modelId: string): Promise<VerifiedModel> {
  const { home, files } = options;
  const name = nameIn(targetName, modelId);
  if (name === null) return findBaseModel(home, modelId);
  const records = createRecordsOnDisk<LlamaCppSettings>(home, targetName);
  const record = await openServed(records, targetName, modelId);
  if (record === null) throw refused(modelId, 'this machine has no such deployment');
  const state = await files.look(record);
  if (state.phase === 'unusable') throw refused(modelId, state.reason);
  if (state.phase !== 'ready') {
    throw new Error(`The file of deployment ${name} is on its way to this machine; ask again later`);
  }
  const paths = filesOf(record).map(({ sha256 }) => files.pathOf(sha256));
  const [path = '', adapterPath] = paths;
  const revisions = await Promise.all(paths.map(async (each) => revisionOf(await stat(each))));
  return {
    ...record.request.settings,
    path,
    ...(adapterPath !== undefined && { adapterPath }),
    revision: revisions.join(' '),
    verify: () => verify(files, record),
  };
}

/** Proves that the files are the recorded model. */
async function verify(files: ModelFiles, record: DeploymentRecord) {
  for (const file of filesOf(record)) {
    const path = files.pathOf(file.sha256);
    const sha256 = await hashFile(path);
    if (sha256 === file.sha256) continue;
    throw refused(
      record.deploymentId,
      `${path} has SHA-256 ${sha256}, so it is not the model that was deployed. Delete that file; it is then fetched again`,
    );
  }
}

async function findBaseModel(home: string, name: string): Promise<VerifiedModel> {
  const directory = join(home, 'local', 'base-models');
  const isName = /^[a-zA-Z0-9][-._a-zA-Z0-9]*$/.test(name);
  const path = join(directory, `${name}.gguf`);
  if (!isName || !existsSync(path)) {
    const isTrainable = isName && existsSync(join(directory, name));
    throw refused(
      name,
      isTrainable
        ? `the base model is there for training, and no ${path} to answer with. Convert it to q8_0 or f16 and put the file there`
        : `this machine has neither a deployment nor a base model of that name in ${directory}`,
    );
  }
  return {
    ...settingsSchema.parse({}),
    path,
    revision: revisionOf(await stat(path)),
    verify: () => verifyBaseModel(path, name),
  };
}

/** Where a manifest lies beside a base model's file, as beside a converted one, it must be that file's. */
async function verifyBaseModel(path: string, name: string): Promise<void> {
  const manifest = `${path}.json`;
  if (!existsSync(manifest)) return;
  const { sha256 } = JSON.parse(await readFile(manifest, 'utf8')) as { sha256: string };
  const found = await hashFile(path);
  if (found !== sha256) throw refused(name, `${path} has SHA-256 ${found}; ${manifest} says ${sha256}`);
}

function revisionOf({ ino, size, mtimeMs }: Stats): string {
  return `${ino}-${size}-${mtimeMs}`;
}
