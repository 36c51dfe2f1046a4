import type { Artifact, Quantization } from '../../domain/artifact.js';

export interface ConversionRequest {
  /** The manifest of the adapter in object storage. */
  readonly modelId: string;
  readonly modelName: string;
  readonly baseModel: string;
  readonly quantization: Quantization;
}

/** Turns what was trained into what a target can serve. */
export interface Converter {
  /**
   * Returns the converted file, complete and checked. Idempotent: one that exists is returned as it is; one that was
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
