import { describeConversion, formOf, isConvertedTo } from '../domain/artifact.js';
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
    if (deployment && artifact && !isConvertedTo(artifact, conversion)) {
      const served = { quantization: artifact.quantization, form: formOf(artifact) };
      const instead = { conversion: { ...served, compare: [conversion.quantization] } };
      throw failWith(
        'Conflict',
        `version ${version.version} of ${version.model} is served as ${describeConversion(served)} by ${deployment.name}; convert a version that is not deployed, or compare only: ${JSON.stringify(instead)}`,
      );
    }
    run.state.verdict = await fileParity(run, spec, await conversionStage(run, spec, version));
    return 'converted';
  });
}
