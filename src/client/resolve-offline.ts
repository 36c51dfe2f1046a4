import { type RunIdentity, resolveRunSpec } from '../activities/run-spec/resolve.js';
import type { ResolvedRunSpec, RunSpec } from '../domain/run-spec.js';
import { createResolveDependencies } from '../workers/dependencies.js';
import { commandConfig } from './stack-addresses.js';

/** Stands for a run that has not been started. */
const noRun: RunIdentity = { workflowId: '', originalRunId: '' };

/** Resolves a run spec as a worker would, without calling anybody. */
export function resolveOffline(input: RunSpec): ResolvedRunSpec {
  const dependencies = createResolveDependencies(commandConfig({ offline: true }));
  try {
    return resolveRunSpec(input, noRun, dependencies);
  } finally {
    dependencies.close();
  }
}
