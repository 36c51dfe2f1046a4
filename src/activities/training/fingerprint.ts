import { createHash } from 'node:crypto';
import type { ConversionTarget } from '../../domain/artifact.js';
import type { DatasetManifest } from '../../domain/dataset.js';
import { canonicalJson } from '../../domain/json.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';

/**
 * SHA-256 over everything that decides what a training run would produce and how it would be judged: equal
 * fingerprints mean that training again would buy the same model again.
 */
export function fingerprint(spec: ResolvedRunSpec, dataset: Pick<DatasetManifest, 'sha256'>): string {
  const parts = {
    dataset: dataset.sha256,
    recipe: spec.recipe,
    recipeHash: spec.recipeHash,
    training: spec.training,
    conversion: spec.conversion && servedAs(spec.conversion),
    deployment: spec.deployment,
    validation: spec.validation,
  };
  return createHash('sha256').update(canonicalJson(parts)).digest('hex');
}

/** What a model is compared with changes nothing of it. A merged one is not called so, as before there was a choice. */
function servedAs({ quantization, form }: ConversionTarget): ConversionTarget {
  return form === 'adapter' ? { quantization, form } : { quantization };
}
