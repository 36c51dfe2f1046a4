import type { Artifact, ConversionTarget } from '../../domain/artifact.js';

/** Of the bucket: base models as GGUF files, which versions of all registered models share. `base-models` is for people's own. */
export const convertedBaseModelsFolder = 'converted-base-models';

export interface ConversionRequest extends ConversionTarget {
  /** The manifest of the adapter in object storage. */
  readonly modelId: string;
  readonly modelName: string;
  readonly baseModel: string;
}

/** Turns what was trained into what a target can serve. */
export interface Converter {
  /**
   * Returns the converted file, complete and checked; with an adapter, also the file of its base model, which is
   * made once. Idempotent: one that exists is returned as it is; one that was
   * cut short is begun anew. `report` is told in words what is being done.
   *
   * Throws `PermanentFailure('ConversionFailed')` where trying again cannot help, any other error to be retried.
   */
  convert(
    request: ConversionRequest,
    report: (doing: string) => void,
    signal: AbortSignal,
  ): Promise<Artifact>;
}
