import { PermanentFailure } from '../../../domain/failures.js';
import type { ModelAnswer, ModelQuestion } from '../client.js';

export interface ModelToLoad {
  /** A `.gguf` file. */
  readonly path: string;
  /** A LoRA adapter on it, also a `.gguf` file. */
  readonly adapterPath?: string | undefined;
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number;
  readonly threads: number;
}

/** Runs GGUF models inside this process. */
export interface LlamaEngine {
  /** What is missing on this machine and what to do about it; null when models can be loaded. */
  findMissing(): string | null;
  load(model: ModelToLoad): Promise<LoadedModel>;
}

/** A model in memory. Takes one question at a time. */
export interface LoadedModel {
  /**
   * Stops with an `AbortError` soon after `signal` says so. Throws `PermanentFailure('ProviderRejected')` for a
   * question that this model can never answer. Times are taken from the call on.
   */
  answer(
    question: Omit<ModelQuestion, 'modelId'>,
    signal?: AbortSignal,
  ): Promise<Omit<ModelAnswer, 'latencyMs'>>;
  /** Puts a question and a given answer to the model, and says what it would have said in its place. */
  follow(
    question: Pick<ModelQuestion, 'system' | 'turns'>,
    answer: readonly number[],
    signal?: AbortSignal,
  ): Promise<FollowedAnswer>;
  dispose(): Promise<void>;
}

/** Throws `PermanentFailure('InvalidInput')` with the remedy. */
export function requireInstalled(engine: Pick<LlamaEngine, 'findMissing'>): void {
  const missing = engine.findMissing();
  if (missing === null) return;
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: deployment.target: found "llama-cpp", but ${missing}.`,
  );
}

/** What a withdrawn question throws, as with the other clients. */
export function withdrawal(signal: AbortSignal): Error {
  const error = new Error('The question was withdrawn', { cause: signal.reason });
  error.name = 'AbortError';
  return error;
}

export function throwIfWithdrawn(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw withdrawal(signal);
}

export interface FollowedAnswer {
  /** The question as the model's own template and tokenizer write it. */
  readonly promptTokens: readonly number[];
  /** The most probable token at each place of the given answer, with everything given before it. */
  readonly chosenTokens: readonly number[];
  /** Natural logarithm of the probability of the given answer. */
  readonly logLikelihood: number;
  /** The given answer as text. */
  readonly text: string;
  /** Its beginning, up to the first place where the model would say something else or hesitates to say this. */
  readonly certainText: string;
}
