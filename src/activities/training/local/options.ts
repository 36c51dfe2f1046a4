import { existsSync } from 'node:fs';
import type { ObjectStore } from '../../dataset/object-store.js';

export interface LocalTrainingOptions {
  readonly objects: ObjectStore;
  /** Anneal's home; base models and jobs lie below its `local`. Absolute. */
  readonly home: string;
  /** The Python that has the trainer's packages. */
  readonly python: string;
  /** The folder of the package `anneal_training`. Absolute. */
  readonly trainingDirectory: string;
  /** How many jobs train at the same time; the others wait in line. */
  readonly trainers: number;
  /** Between asking a trainer to stop and ending it by force; it writes a checkpoint meanwhile. */
  readonly graceSeconds?: number;
  /** Before a trainer that crashed is started again. */
  readonly restartSeconds?: number;
}

/** What is missing on this machine and what to do about it; null when training can start. */
export function findMissingTool({ python }: Pick<LocalTrainingOptions, 'python'>): string | null {
  if (existsSync(python)) return null;
  return `there is no Python at ${python}; run \`anneal setup local\`, or name another one in ANNEAL_LOCAL_PYTHON`;
}
