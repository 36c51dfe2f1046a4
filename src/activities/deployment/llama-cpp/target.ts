import type { ObjectStore } from '../../dataset/object-store.js';
import { type LlamaEngine, requireInstalled } from '../../inference/llama-cpp/engine.js';
import { type ModelFiles, requireRoom, toServingState } from '../gguf/model-files.js';
import { createRecordsOnDisk } from '../gguf/records.js';
import { createGgufTarget } from '../gguf/target.js';
import type { DeploymentTarget } from '../target.js';
import { type LlamaCppSettings, settingsSchema, targetName } from './settings.js';

export interface LlamaCppTargetOptions {
  readonly objects: ObjectStore;
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  readonly engine: Pick<LlamaEngine, 'findMissing'>;
}

/**
 * GGUF models served inside the worker process, from verified files below `<home>/local/models`; all workers that
 * serve them share one home.
 */
export function createLlamaCppTarget({
  objects,
  home,
  files,
  engine,
}: LlamaCppTargetOptions): DeploymentTarget {
  return createGgufTarget({
    name: targetName,
    settings: settingsSchema,
    objects,
    records: createRecordsOnDisk<LlamaCppSettings>(home, targetName),
    host: {
      requireUsable: () => requireInstalled(engine),
      async admit({ name, modelId }, model) {
        await requireRoom(files, name, { modelId, model });
        return null;
      },
      look: async (record) => toServingState(await files.look(record), record.model),
      bring: (next) => files.fetch(next),
      withdraw: async () => {},
      release: (record) => files.release(record),
    },
  });
}
