import { decisiveFindings } from '../domain/parity.js';
import type { RunResult } from '../domain/run-state.js';
import { mayDeploy } from './budget.js';
import { failWith } from './failures.js';
import { conversionStage } from './stages/conversion.js';
import { deploymentStage } from './stages/deployment.js';
import { fileParity } from './stages/parity.js';
import { runOnVersion } from './version-run.js';

/** Serves an existing version on a deployment of its own; it stays until `teardown`, and bills till then. */
export async function deploy(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'newest', async ({ run, spec, version }) => {
    if (version.deployment) {
      throw failWith(
        'Conflict',
        `version ${version.version} of ${version.model} is deployed already as ${version.deployment.name}; validate or tear it down`,
      );
    }
    if (!(await mayDeploy(run, spec))) return 'declined';
    const converted = await conversionStage(run, spec, version);
    const parity = await fileParity(run, spec, converted);
    if (parity !== 'passed') {
      throw failWith(
        'ConversionFailed',
        `version ${version.version} of ${version.model} is not what was trained (parity ${parity}): ${decisiveFindings(run.state.parity).join(' ')}`,
        [{ report: run.state.report }],
      );
    }
    await deploymentStage(run, spec, converted);
    await run.purchases.handOverTo(version);
    return 'deployed';
  });
}
