import type { ObjectStore } from '../../dataset/object-store.js';
import type { DeploymentRecords } from '../gguf/records.js';
import { createGgufTarget, type ModelHost } from '../gguf/target.js';
import type { DeploymentTarget } from '../target.js';
import { type OllamaSettings, settingsSchema, targetName } from './settings.js';

export interface OllamaTargetOptions {
  readonly objects: ObjectStore;
  readonly records: DeploymentRecords<OllamaSettings>;
  readonly host: ModelHost<OllamaSettings>;
}

/** GGUF models in an Ollama on this or another machine. */
export function createOllamaTarget(options: OllamaTargetOptions): DeploymentTarget {
  return createGgufTarget({ name: targetName, settings: settingsSchema, ...options });
}
