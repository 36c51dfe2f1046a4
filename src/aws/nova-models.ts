import {
  type HyperparameterRange,
  type HyperparameterValue,
  resolveInRanges,
} from '../domain/hyperparameters.js';
import { didYouMean, type InputProblem } from '../domain/parse-input.js';

interface NovaRange extends HyperparameterRange {
  /** Bedrock has no such setting: the one value it trains with is accepted, and left out of the request. */
  readonly isImplied?: true;
}

/** What Bedrock lets people set, and takes, when it fine-tunes one base model. */
export interface TrainableModel {
  readonly id: string;
  readonly hyperparameters: Readonly<Record<string, NovaRange>>;
  /** One warm-up step for so many training records. */
  readonly recordsPerWarmupStep: number;
  readonly records: { readonly min: number; readonly max: number };
}

/** AWS's table of hyperparameters for customizing Nova understanding models, as read in November 2026. */
const novaHyperparameters = {
  epochCount: { min: 1, max: 5, integer: true, default: 2 },
  learningRate: { min: 1e-6, max: 1e-4, integer: false, default: 1e-5 },
  learningRateWarmupSteps: { min: 0, max: 100, integer: true, default: null },
  batchSize: { min: 1, max: 1, integer: true, default: 1, isImplied: true },
} as const;

const novaRecords = { min: 8, max: 20_000 };

const trainableModels: readonly TrainableModel[] = [
  { id: 'amazon.nova-micro-v1:0:128k', recordsPerWarmupStep: 640 },
  { id: 'amazon.nova-lite-v1:0:300k', recordsPerWarmupStep: 160 },
  { id: 'amazon.nova-pro-v1:0:300k', recordsPerWarmupStep: 320 },
].map((model) => ({ ...model, hyperparameters: novaHyperparameters, records: novaRecords }));

/** Base models that could be fine-tuned once, with the reason why they cannot any more. */
const retiredModels: readonly { readonly prefix: string; readonly reason: string }[] = [
  { prefix: 'anthropic.claude-3-haiku', reason: 'a model that Bedrock retired on 2026-09-10' },
];

/** The base model of that ID, or what is wrong with the ID. */
export function findTrainableModel(
  baseModel: string,
): { readonly model: TrainableModel } | { readonly problem: InputProblem } {
  const model = trainableModels.find(({ id }) => id === baseModel);
  if (model) return { model };
  const ids = trainableModels.map(({ id }) => id);
  const retired = retiredModels.find(({ prefix }) => baseModel.startsWith(prefix));
  const extended = ids.find((id) => id.startsWith(`${baseModel}:`));
  return {
    problem: {
      path: 'training.baseModel',
      found: `"${baseModel}"${retired ? `, ${retired.reason}` : ''}`,
      allowed: ids.join(', '),
      hint: extended ?? didYouMean(baseModel, ids),
    },
  };
}

/**
 * Completes and checks the hyperparameters of a job. What depends on the number of training records is left
 * out while that is unknown. Values come back as plain decimal strings, which is how Bedrock takes them.
 */
export function resolveHyperparameters(
  model: TrainableModel,
  given: Readonly<Record<string, HyperparameterValue>>,
  records: number | null,
): { readonly values: Record<string, string>; readonly problems: readonly InputProblem[] } {
  const ranges = model.hyperparameters;
  const resolved = resolveInRanges(ranges, given, (range) => warmupSteps(model, range, records));
  const { problems } = resolved;
  const values = Object.fromEntries(
    Object.entries(resolved.values).filter(([name]) => !ranges[name]?.isImplied),
  );
  return { values, problems };
}

/** Says what is wrong with a dataset of this size; null when nothing is. */
export function checkRecords(model: TrainableModel, records: number): InputProblem | null {
  const { min, max } = model.records;
  if (records >= min && records <= max) return null;
  return {
    path: 'dataset',
    found: `${records} training records`,
    allowed: `${min} to ${max} for ${model.id}`,
    hint: null,
  };
}

/** AWS's rule of thumb, rounded half up and kept within the allowed range. */
function warmupSteps(model: TrainableModel, { min, max }: NovaRange, records: number | null): number | null {
  if (records === null) return null;
  return Math.min(max, Math.max(min, Math.round(records / model.recordsPerWarmupStep)));
}
