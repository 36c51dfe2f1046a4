import { BASE_EXAMPLES } from './base-model.js';
import { generateAnswer, type Knowledge } from './model.js';
import { deserializeKnowledge, serializeKnowledge } from './serialization.js';
import { tokenize } from './tokens.js';
import { learn } from './training.js';

export interface TrainingExample {
  system: string | null;
  prompt: string;
  answer: string;
}

/** Losses are mean negative log likelihoods per symbol of an answer; training rows are judged leave-one-out. */
export interface EpochMetrics {
  epoch: number;
  step: number;
  trainingLoss: number;
  validationLoss: number | null;
}

export interface TrainedModel {
  readonly serialized: Uint8Array;
  readonly metrics: EpochMetrics[];
  readonly trainingTokens: number;
}

export interface LanguageModel {
  generate(input: {
    system: string | null;
    prompt: string;
    temperature: number;
    maxTokens: number;
    seed: number;
  }): { text: string; inputTokens: number; outputTokens: number; stopReason: 'end_turn' | 'max_tokens' };
}

/** Trains the sandbox's model; the same input gives the same bytes. */
export function trainModel(
  input: {
    training: TrainingExample[];
    validation: TrainingExample[];
    epochs: number;
    learningRate: number;
    seed: number;
  },
  onEpoch?: (metrics: EpochMetrics) => void,
): TrainedModel {
  if (input.training.length === 0) throw new Error('training data: found 0 examples, at least 1 is needed');
  const metrics: EpochMetrics[] = [];
  const { knowledge, trainingTokens } = learn(input, (epoch) => {
    metrics.push(epoch);
    onEpoch?.(epoch);
  });
  return { serialized: serializeKnowledge(knowledge), metrics, trainingTokens };
}

/** Brings a trained model back to life. */
export function loadModel(serialized: Uint8Array): LanguageModel {
  return toLanguageModel(deserializeKnowledge(serialized));
}

/** The model before any fine-tuning: it writes a little English and knows no task. */
export function loadBaseModel(): LanguageModel {
  const { knowledge } = learn(
    { training: BASE_EXAMPLES, validation: [], epochs: 1, learningRate: 1e-5, seed: 1 },
    () => {},
  );
  return toLanguageModel(knowledge);
}

function toLanguageModel(knowledge: Knowledge): LanguageModel {
  return {
    generate(input) {
      const { tokens, complete } = generateAnswer(knowledge, input);
      return {
        text: tokens.join(''),
        inputTokens: tokenize(input.system ?? '').length + tokenize(input.prompt).length,
        outputTokens: tokens.length,
        stopReason: complete ? 'end_turn' : 'max_tokens',
      };
    },
  };
}
