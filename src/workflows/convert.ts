import type { RunResult } from '../domain/run-state.js';
import { failWith } from './failures.js';
import { conversionStage } from './stages/conversion.js';
import { fileParity } from './stages/parity.js';
import { runOnVersion } from './version-run.js';

/** Converts a version that exists, and compares the file with what was trained; nothing serves it yet. */
export async function convert(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'newest', async ({ run, spec, version }) => {
    const { conversion } = spec;
    if (conversion === null) {
      throw failWith(
        'InvalidInput',
        `version: ${version.model} version ${version.version} needs no conversion: ${spec.deployment.target} serves what ${version.provider} makes.`,
      );
    }
    const { deployment, artifact } = version;
    if (deployment && artifact?.quantization !== conversion.quantization) {
      throw failWith(
        'Conflict',
        `version ${version.version} of ${version.model} is served as ${artifact?.quantization} by ${deployment.name}; convert a version that is not deployed, or compare only: {"conversion": {"quantization": "${artifact?.quantization}", "compare": ["${conversion.quantization}"]}}`,
      );
    }
    run.state.verdict = await fileParity(run, spec, await conversionStage(run, spec, version));
    return 'converted';
  });
}
