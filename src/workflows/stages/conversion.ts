import { type Artifact, describeConversion, isConvertedTo } from '../../domain/artifact.js';
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
  if (isConvertedTo(version.artifact, wanted)) {
    run.skip('conversion', `converted to ${describeConversion(wanted)} already`);
    return version;
  }
  return run.stage('conversion', 'ConversionFailed', async (stage) => {
    const minutes = spec.deadlines.conversionMinutes;
    const converted = await compute(
      `Convert ${version.modelName} to ${describeConversion(wanted)}`,
      minutes * 60_000,
      queueMs(spec),
    ).convertModel({ version, conversion: wanted, author: run.author });
    stage.note = `${describeConversion(wanted)}, ${describeSize(converted.artifact)}`;
    return converted;
  });
}

function describeSize(artifact: Artifact | null): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const own = megabytes(artifact?.bytes ?? 0);
  return artifact?.base ? `${own} beside ${megabytes(artifact.base.bytes)} that all its adapters share` : own;
}
