/** What a trained model's weights are kept as; smaller ones answer faster and a little worse. */
export const quantizations = ['f16', 'q8_0', 'q5_k_m', 'q4_k_m', 'q4_0'] as const;
export type Quantization = (typeof quantizations)[number];

/**
 * What a training provider leaves behind, and what a target can serve: `hosted` stays with its provider and is
 * served there alone, an `adapter` is a LoRA adapter in object storage, `gguf` one file of whole weights.
 */
export type ModelFormat = 'hosted' | 'adapter' | 'gguf';

/**
 * What becomes of a LoRA adapter: `merged` into the weights of its base model, or kept as an `adapter` beside them, so
 * that many adapters share one file of the base model.
 */
export const conversionForms = ['merged', 'adapter'] as const;
export type ConversionForm = (typeof conversionForms)[number];

/** A GGUF file in object storage. */
interface GgufFile {
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
  /** As the file says of itself, for instance architecture, context length and the hash of its chat template. */
  readonly metadata: Readonly<Record<string, string | number | null>>;
}

/** An untrained base model as one file, which all adapters that were trained on it share. */
export interface BaseModelFile extends GgufFile {
  /** SHA-256 over configuration and weights of the model that it was made of: what the adapter was trained on. */
  readonly fingerprint: string;
}

/** A converted model: a file of whole weights, or a LoRA adapter and the file of its base model. */
export interface Artifact extends GgufFile {
  readonly format: 'gguf';
  /** Of the whole weights; an adapter itself keeps 16 bits. */
  readonly quantization: Quantization;
  readonly baseModel: string;
  /** There where `uri` is an adapter. */
  readonly base?: BaseModelFile;
}

/** What a model is to be converted to. A run that began before there were adapters names no form. */
export interface ConversionTarget {
  readonly quantization: Quantization;
  readonly form?: ConversionForm;
}

export function formOf(artifact: Pick<Artifact, 'base'>): ConversionForm {
  return artifact.base ? 'adapter' : 'merged';
}

export function isConvertedTo(
  artifact: Artifact | null | undefined,
  { quantization, form = 'merged' }: ConversionTarget,
): boolean {
  return artifact?.quantization === quantization && formOf(artifact) === form;
}

/** For people, for instance `q8_0`. */
export function describeConversion({ quantization, form }: ConversionTarget): string {
  return form === 'adapter' ? `adapter on ${quantization}` : quantization;
}

/** What a target is given to serve: the file a model was converted to, else the model as its provider keeps it. */
export function servedModelId(version: {
  readonly modelId: string;
  readonly artifact: Artifact | null;
}): string {
  return version.artifact?.uri ?? version.modelId;
}
