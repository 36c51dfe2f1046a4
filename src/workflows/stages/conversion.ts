import type { ModelVersion } from '../../domain/model-version.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { compute } from '../proxies.js';
import type { Run } from '../run.js';
import { queueMs } from './deadlines.js';

/** Turns a version's model into what its target serves; returns the version with its artifact. */
export async function conversionStage(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
): Promise<ModelVersion> {
  const wanted = spec.conversion;
  if (wanted === null) {
    run.skip('conversion', 'not needed on this target');
    return version;
  }
  if (version.artifact?.quantization === wanted.quantization) {
    run.skip('conversion', `converted to ${wanted.quantization} already`);
    return version;
  }
  return run.stage('conversion', 'ConversionFailed', async (stage) => {
    const minutes = spec.deadlines.conversionMinutes;
    const converted = await compute(
      `Convert ${version.modelName} to ${wanted.quantization}`,
      minutes * 60_000,
      queueMs(spec),
    ).convertModel({ version, conversion: wanted, author: run.author });
    const bytes = converted.artifact?.bytes ?? 0;
    stage.note = `${wanted.quantization}, ${(bytes / 1e6).toFixed(0)} MB`;
    return converted;
  });
}
