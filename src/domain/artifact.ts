/** What a trained model's weights are kept as; smaller ones answer faster and a little worse. */
export const quantizations = ['f16', 'q8_0', 'q5_k_m', 'q4_k_m', 'q4_0'] as const;
export type Quantization = (typeof quantizations)[number];

/**
 * What a training provider leaves behind, and what a target can serve: `hosted` stays with its provider and is
 * served there alone, an `adapter` is a LoRA adapter in object storage, `gguf` one file of whole weights.
 */
export type ModelFormat = 'hosted' | 'adapter' | 'gguf';

/** A converted model: one GGUF file in object storage. */
export interface Artifact {
  readonly format: 'gguf';
  readonly quantization: Quantization;
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly baseModel: string;
  /** As the file says of itself, for instance architecture, context length and the hash of its chat template. */
  readonly metadata: Readonly<Record<string, string | number | null>>;
}

/** What a target is given to serve: the file a model was converted to, else the model as its provider keeps it. */
export function servedModelId(version: {
  readonly modelId: string;
  readonly artifact: Artifact | null;
}): string {
  return version.artifact?.uri ?? version.modelId;
}
