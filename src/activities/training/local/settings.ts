import { availableParallelism } from 'node:os';
import { z } from 'zod';
import {
  type HyperparameterRange,
  type HyperparameterText,
  type HyperparameterValue,
  resolveInRanges,
} from '../../../domain/hyperparameters.js';
import { type InputProblem, parseInput } from '../../../domain/parse-input.js';

/** What people may set of a LoRA training. */
export const hyperparameterRanges = {
  epochCount: { min: 1, max: 50, integer: true, default: 4 },
  learningRate: { min: 1e-6, max: 1e-2, integer: false, default: 2e-4 },
  /** Records that go through the model at once: what the memory has room for. */
  batchSize: { min: 1, max: 64, integer: true, default: 4 },
  /** Batches that make one step: it learns `batchSize` times as many records. One when left out. */
  gradientAccumulationSteps: { min: 1, max: 1024, integer: true, default: null },
  rank: { min: 1, max: 256, integer: true, default: 16 },
  /** The adapter's weight is alpha ÷ rank; far above 2 a training tends to diverge. */
  alpha: { min: 1, max: 512, integer: false, default: 32 },
  dropout: { min: 0, max: 0.5, integer: false, default: 0.05 },
  /** Linear layers that get an adapter, by the last part of their names; all of them when left out. */
  targetModules: {
    pattern: /^(all-linear|\w+(,\w+)*)$/,
    allowed: '"all-linear", or names of layers with commas between them, for instance "q_proj,v_proj"',
    default: null,
  },
  /** QLoRA: the base model's weights in 4 bits while its adapter is trained. */
  baseModelQuantization: { pattern: /^(none|nf4)$/, allowed: '"none" or "nf4"', default: null },
  /** Computes again in the backward pass what it would have to keep: less memory, more time. */
  gradientCheckpointing: { pattern: /^(true|false)$/, allowed: 'true or false', default: null },
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
} as const satisfies Record<string, HyperparameterRange | HyperparameterText>;

type Hyperparameter = keyof typeof hyperparameterRanges;

const settingsSchema = z.strictObject({
  /** Processor threads of the trainer; the machine's share of one trainer when left out. */
  threads: z
    .int('a whole number from 1 to 256')
    .min(1, 'a whole number from 1 to 256')
    .max(256, 'a whole number from 1 to 256')
    .optional(),
  /** The library that trains; what fits the machine when left out. */
  engine: z.enum(['auto', 'torch', 'mlx']).optional(),
});

export type LocalTrainingSettings = z.infer<typeof settingsSchema>;

/** Completes and checks hyperparameters. Values come back as plain decimal strings. */
export function resolveHyperparameters(
  given: Readonly<Record<string, HyperparameterValue>>,
): ReturnType<typeof resolveInRanges> {
  return resolveInRanges(hyperparameterRanges, given);
}

/** As the trainer takes them; null where nothing was said. */
export function toTrainerHyperparameters(
  values: Readonly<Record<string, string>>,
): Record<Hyperparameter, HyperparameterValue | null> {
  const entries = Object.entries(hyperparameterRanges).map(([name, range]) => {
    const value = values[name];
    if (value === undefined) return [name, null];
    if (!('pattern' in range)) return [name, Number(value)];
    return [name, value === 'true' || value === 'false' ? value === 'true' : value];
  });
  return Object.fromEntries(entries);
}

/** What MLX has not; the trainer finds out what this machine has not. */
export function checkEngine(
  { engine }: LocalTrainingSettings,
  { baseModelQuantization }: Readonly<Record<string, string>>,
): InputProblem | null {
  if (engine !== 'mlx' || (baseModelQuantization ?? 'none') === 'none') return null;
  return {
    path: 'training.hyperparameters.baseModelQuantization',
    found: JSON.stringify(baseModelQuantization),
    allowed: '"none", because training.settings.engine is "mlx"',
    hint: null,
  };
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
