import { PermanentFailure } from '../domain/failures.js';
import { didYouMean } from '../domain/parse-input.js';
import type { DeploymentTarget } from './deployment/target.js';
import type { InferenceClient } from './inference/client.js';
import type { TrainingProvider } from './training/provider.js';

/** The vendors this worker can use, by the names that run specs give them. */
export interface Providers {
  readonly training: ReadonlyMap<string, TrainingProvider>;
  readonly targets: ReadonlyMap<string, DeploymentTarget>;
  /** The client that talks to what a target of that name serves. */
  readonly inference: ReadonlyMap<string, InferenceClient>;
}

/** Finds an entry by name, or fails with the names there are. `path` is where the name stood in the input. */
export function choose<T>(entries: ReadonlyMap<string, T>, name: string, path: string): T {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  const allowed = [...entries.keys()];
  const hint = didYouMean(name, allowed);
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: ${path}: found "${name}"; allowed: ${allowed.join(', ')}.${hint ? ` Did you mean "${hint}"?` : ''}`,
    [{ path, found: name, allowed }],
  );
}
