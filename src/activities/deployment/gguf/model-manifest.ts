import { z } from 'zod';
import { PermanentFailure } from '../../../domain/failures.js';
import { parseInput } from '../../../domain/parse-input.js';
import type { ObjectStore } from '../../dataset/object-store.js';

const contentSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 as 64 hexadecimal digits'),
  bytes: z.number().int().positive(),
});

const manifestSchema = contentSchema.extend({
  format: z.string(),
  baseModel: z.string(),
  base: contentSchema
    .extend({ uri: z.string().regex(/^s3:\/\/.+\.gguf$/, 'an s3:// URI of a .gguf file') })
    .optional(),
});

/** What stands in `<uri of the .gguf>.json`: which bytes the model is, and on which file an adapter answers. */
export type ModelManifest = z.infer<typeof manifestSchema>;

/** A GGUF file of the object store. */
export type GgufFile = z.infer<typeof contentSchema> & { readonly uri: string };

interface StoredModel {
  readonly modelId: string;
  readonly model: ModelManifest;
}

/** Every file that a model needs; where it is an adapter, that of its base model first. */
export function filesOf({ modelId, model: { sha256, bytes, base } }: StoredModel): GgufFile[] {
  return [...(base ? [base] : []), { uri: modelId, sha256, bytes }];
}

/** The file that holds weights, tokenizer and chat template. */
export function weightsOf({ modelId, model: { sha256, bytes, base } }: StoredModel): GgufFile {
  return base ?? { uri: modelId, sha256, bytes };
}

export function bytesOf({ bytes, base }: ModelManifest): number {
  return bytes + (base?.bytes ?? 0);
}

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
  if (parsed.value.format === 'adapter' && !parsed.value.base) {
    throw refuse(
      `${modelId} is an adapter, which answers only on its base model, and names no file of that. Convert the model again`,
    );
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
