import type { Artifact, Quantization } from '../../domain/artifact.js';
import type { FileMeasurement, GoldenPrompt, ParityReference } from '../../domain/parity.js';

export interface ParityRequest {
  /** The manifest of the adapter in object storage. */
  readonly modelId: string;
  readonly modelName: string;
  readonly baseModel: string;
  /** What was converted, and will be served: whole weights, or an adapter with the file of its base model. */
  readonly artifact: Artifact;
  /** Formats that are made and measured besides, and thrown away. */
  readonly compare: readonly Quantization[];
  readonly prompts: readonly GoldenPrompt[];
  /** Tokens of each answer. */
  readonly answerTokens: number;
}

export interface ParityMeasurements {
  readonly reference: ParityReference;
  /** The artifact's first. */
  readonly files: readonly FileMeasurement[];
}

/** Puts the same golden prompts to a trained model and to the files it was converted to. */
export interface ParityMeter {
  /**
   * Holds one model in memory at a time. A file that cannot be read or asked is a measurement with a `problem`.
   * `report` is told in words what is being done. Leaves nothing behind.
   *
   * Throws `PermanentFailure('ConversionFailed')` where trying again cannot help, any other error to be retried.
   */
  measure(
    request: ParityRequest,
    report: (doing: string) => void,
    signal: AbortSignal,
  ): Promise<ParityMeasurements>;
}
