import { z } from 'zod';
import { PermanentFailure } from '../../../domain/failures.js';
import { parseInput } from '../../../domain/parse-input.js';
import type { ObjectStore } from '../../dataset/object-store.js';

const manifestSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 as 64 hexadecimal digits'),
  bytes: z.number().int().positive(),
  format: z.string(),
  baseModel: z.string(),
});

/** What stands in `<uri of the .gguf>.json`: which bytes the model is. */
export type ModelManifest = z.infer<typeof manifestSchema>;

/**
 * Reads what a model's bytes must be. Throws `PermanentFailure('ProviderRejected')` for what this target can
 * never serve.
 */
export async function readModelManifest(
  objects: ObjectStore,
  deploymentName: string,
  modelId: string,
): Promise<ModelManifest> {
  const refuse = (reason: string) =>
    new PermanentFailure(
      'ProviderRejected',
      `ProviderRejected: could not create deployment ${deploymentName}: ${reason}.`,
      [{ deployment: deploymentName, modelId }],
    );
  if (!/^s3:\/\/.+\.gguf$/.test(modelId)) {
    throw refuse(
      `found the model ${modelId}; allowed: a .gguf file in the object store. Convert the trained model first`,
    );
  }
  const uri = `${modelId}.json`;
  const text = await objects.getText(uri);
  if (text === null) throw refuse(`${uri} is not there. Convert the model again`);
  const parsed = parseInput(manifestSchema, parseJson(text));
  if ('problems' in parsed) {
    const [problem] = parsed.problems;
    const what = `${problem?.path}: found ${problem?.found}; allowed: ${problem?.allowed}`;
    throw refuse(`${uri} is no manifest of a model: ${what}. Convert the model again`);
  }
  if (parsed.value.format === 'adapter') {
    throw refuse(`${modelId} is an adapter, which answers only on its base model. Convert to q8_0 or f16`);
  }
  return parsed.value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
