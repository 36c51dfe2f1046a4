import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { type HyperparameterRange, resolveInRanges } from '../../../domain/hyperparameters.js';
import { type InputProblem, parseInput } from '../../../domain/parse-input.js';

/** What people may set of a LoRA training. */
export const hyperparameterRanges = {
  epochCount: { min: 1, max: 50, integer: true, default: 4 },
  learningRate: { min: 1e-6, max: 1e-2, integer: false, default: 2e-4 },
  batchSize: { min: 1, max: 64, integer: true, default: 4 },
  rank: { min: 1, max: 256, integer: true, default: 16 },
  /** The adapter's weight is alpha ÷ rank; far above 2 a training tends to diverge. */
  alpha: { min: 1, max: 512, integer: false, default: 32 },
  dropout: { min: 0, max: 0.5, integer: false, default: 0.05 },
  /** Tokens; a run with a longer record fails and says what would do. */
  maximumSequenceLength: { min: 64, max: 32_768, integer: true, default: 1024 },
  /** Ends the training early, whatever the epochs. */
  maximumSteps: { min: 1, max: 1_000_000, integer: true, default: null },
  /** Steps between two checkpoints: what a crash may cost. */
  checkpointSteps: { min: 1, max: 100_000, integer: true, default: 25 },
  /** Steps between two measurements of the validation loss; after each epoch when left out. */
  evaluationSteps: { min: 1, max: 100_000, integer: true, default: null },
  /** Ends the training once the validation loss has not fallen so many times in a row. */
  plateauEvaluations: { min: 1, max: 1000, integer: true, default: null },
  /** By how much it has to fall to count. */
  plateauImprovement: { min: 0, max: 10, integer: false, default: null },
  /** Ends the training once the training loss, in the mean, is so many times its lowest. */
  spikeFactor: { min: 1.01, max: 100, integer: false, default: null },
  seed: { min: 0, max: 2_147_483_647, integer: true, default: 1 },
} as const satisfies Record<string, HyperparameterRange>;

type Hyperparameter = keyof typeof hyperparameterRanges;

const settingsSchema = z.strictObject({
  /** Processor threads of the trainer; the machine's share of one trainer when left out. */
  threads: z
    .int('a whole number from 1 to 256')
    .min(1, 'a whole number from 1 to 256')
    .max(256, 'a whole number from 1 to 256')
    .optional(),
});

export type LocalTrainingSettings = z.infer<typeof settingsSchema>;

/** Completes and checks hyperparameters. Values come back as plain decimal strings. */
export function resolveHyperparameters(
  given: Readonly<Record<string, string | number>>,
): ReturnType<typeof resolveInRanges> {
  return resolveInRanges(hyperparameterRanges, given);
}

/** As the trainer takes them: numbers, and null where there is no limit. */
export function toTrainerHyperparameters(
  values: Readonly<Record<string, string>>,
): Record<Hyperparameter, number | null> {
  const entries = Object.keys(hyperparameterRanges).map((name) => {
    const value = values[name];
    return [name, value === undefined ? null : Number(value)];
  });
  return Object.fromEntries(entries);
}

/** Checks `training.settings`. */
export function parseLocalSettings(given: Readonly<Record<string, unknown>>): {
  readonly value: LocalTrainingSettings;
  readonly problems: readonly InputProblem[];
} {
  const parsed = parseInput(settingsSchema, given);
  if ('value' in parsed) return { value: parsed.value, problems: [] };
  const problems = parsed.problems.map((problem) => ({
    ...problem,
    path: problem.path === '(input)' ? 'training.settings' : `training.settings.${problem.path}`,
  }));
  return { value: {}, problems };
}

/** Threads of one trainer where so many train at once. */
export function threadsOf({ threads }: LocalTrainingSettings, trainers: number): number {
  return threads ?? Math.max(1, Math.floor(availableParallelism() / trainers));
}
