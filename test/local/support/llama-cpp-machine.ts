import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createModelFiles } from '../../../src/activities/deployment/gguf/model-files.js';
import { createRecordsOnDisk } from '../../../src/activities/deployment/gguf/records.js';
import { createLlamaCppTarget } from '../../../src/activities/deployment/llama-cpp/target.js';
import type { DeploymentTarget } from '../../../src/activities/deployment/target.js';
import type { InferenceClient } from '../../../src/activities/inference/client.js';
import { createLlamaCppInferenceClient } from '../../../src/activities/inference/llama-cpp/client.js';
import type { LlamaEngine } from '../../../src/activities/inference/llama-cpp/engine.js';
import { createGgufMachine, type GgufMachine, startGgufHome } from './gguf-machine.js';

/** A machine that serves inside the process. */
export interface LlamaCppMachine extends GgufMachine {
  newTarget(engine?: LlamaEngine): DeploymentTarget;
  newClient(engine?: LlamaEngine, loadedModels?: number): InferenceClient;
  pathOf(...names: string[]): string;
  modelFiles(): Promise<string[]>;
}

export async function startLlamaCppMachine(usualEngine: LlamaEngine): Promise<LlamaCppMachine> {
  const base = await startGgufHome();
  const { home, store: objects } = base;
  const files = () => createModelFiles({ objects, home });
  const newTarget = (engine = usualEngine) => createLlamaCppTarget({ objects, home, files: files(), engine });
  const newClient = (engine = usualEngine, loadedModels?: number) =>
    createLlamaCppInferenceClient({ home, files: files(), engine, loadedModels });
  const machine = createGgufMachine(base, {
    name: 'llama-cpp',
    settings: { contextTokens: 2048, threads: 1 },
    newTarget: () => newTarget(),
    newClient: () => newClient(),
    newRecords: () => createRecordsOnDisk(home, 'llama-cpp'),
    readyWithinMs: 20_000,
  });
  const pathOf = (...names: string[]) => join(home, 'local', ...names);
  return { ...machine, newTarget, newClient, pathOf, modelFiles: () => readdir(pathOf('models')) };
}
