import type { RunResult } from '../domain/run-state.js';
import { requireDeployment } from './require-deployment.js';
import { validationStage } from './stages/validation.js';
import { runOnVersion } from './version-run.js';

/** Measures a deployed version again; the verdict goes to the registry, nothing else changes. */
export async function validate(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'newest', async ({ run, spec, version }) => {
    await validationStage(run, spec, version, requireDeployment(version));
    return 'validated';
  });
}
