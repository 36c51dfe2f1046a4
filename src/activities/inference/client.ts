import type { Turn } from '../../domain/dataset.js';

export interface ModelQuestion {
  /** A deployment's identifier, or a base model's. */
  readonly modelId: string;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  readonly maxTokens: number;
  readonly temperature: number;
}

export interface ModelAnswer {
  readonly text: string;
  readonly stopReason: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly latencyMs: number;
}

/**
 * Asks one model one question. Safe to repeat; each call may be billed by token.
 * Errors: `PermanentFailure('ProviderRejected')` for a question that can never be answered (unknown model,
 * no permission, malformed); everything else may be retried.
 */
export interface InferenceClient {
  readonly name: string;
  ask(question: ModelQuestion, signal?: AbortSignal): Promise<ModelAnswer>;
}
