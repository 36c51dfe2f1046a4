import type { Turn } from '../../domain/dataset.js';
import type { JsonObject } from '../../domain/json.js';

export interface ModelQuestion {
  /** A deployment's identifier, or a base model's. */
  readonly modelId: string;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  readonly maxTokens: number;
  readonly temperature: number;
  /**
   * JSON Schema that the answer is held to where the server can do that; servers that cannot take no notice. An
   * answer that the limit of tokens has cut is no JSON all the same.
   */
  readonly answerSchema?: JsonObject;
}

export interface ModelAnswer {
  readonly text: string;
  readonly stopReason: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of reading the question and writing the answer; queues and loading are left out where that is known. */
  readonly latencyMs: number;
  /** From asking to the first text of the answer, lines and loading included; null where it was not streamed. */
  readonly timeToFirstTokenMs: number | null;
  /** Of writing alone, without the first token; null where it was not streamed or has one token. */
  readonly tokensPerSecond: number | null;
}

/** The client of models that others serve, which no run has deployed. */
export const endpointName = 'endpoint';

/**
 * Asks one model one question. Safe to repeat; each call may be billed by token.
 * Errors: `PermanentFailure('ProviderRejected')` for a question that can never be answered (unknown model,
 * no permission, malformed); everything else may be retried.
 */
export interface InferenceClient {
  readonly name: string;
  ask(question: ModelQuestion, signal?: AbortSignal): Promise<ModelAnswer>;
}
