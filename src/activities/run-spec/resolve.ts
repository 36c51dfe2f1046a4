import { createHash } from 'node:crypto';
import type { ModelFormat } from '../../domain/artifact.js';
import { PermanentFailure } from '../../domain/failures.js';
import { defaultTolerances } from '../../domain/parity.js';
import type { Recipe } from '../../domain/recipe.js';
import {
  type DatasetSource,
  defaultDeadlines,
  type ResolvedRunSpec,
  type RunSpec,
} from '../../domain/run-spec.js';
import type { Waiting } from '../../domain/waiting.js';
import { choose, type Providers } from '../providers.js';
import { origins } from './origins.js';

export interface ResolveDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly cloud: string;
  readonly bucket: string;
  readonly waiting: Waiting;
  readonly searchAttributes: boolean;
}

/** Who runs: the workflow's ID and the run ID that survives a reset. */
export interface RunIdentity {
  readonly workflowId: string;
  readonly originalRunId: string;
}

/**
 * Fills every default into a run spec and says where each value came from.
 * Throws `PermanentFailure('InvalidInput')` for an unknown recipe, provider, target, suite or policy, and
 * for hyperparameters and settings that the provider does not take.
 */
export function resolveRunSpec(
  input: RunSpec,
  identity: RunIdentity,
  dependencies: ResolveDependencies,
): ResolvedRunSpec {
  const recipe = choose(dependencies.recipes, input.recipe, 'recipe');
  const { training, prices: trainingPrices } = resolveTraining(input, recipe, dependencies.providers);
  const { providers } = dependencies;
  const target = input.deployment?.target ?? usualTarget(recipe, training.provider, providers);
  const conversion = resolveConversion(input, training.provider, target, providers);
  const { deployment, prices: servingPrices } = resolveDeployment(
    input,
    target,
    training.baseModel,
    providers,
  );

  return {
    recipe: recipe.name,
    recipeHash: recipe.contentHash,
    model: input.model ?? recipe.name,
    dataset: {
      source: datasetSource(recipe, input.dataset?.source ?? recipe.defaults.dataset.source),
      validationShare: input.dataset?.validationShare ?? recipe.defaults.dataset.validationShare,
    },
    training,
    conversion,
    deployment,
    validation: resolveValidation(input, recipe),
    approval: input.approval ?? 'none',
    budgetUsd: input.budgetUsd ?? recipe.defaults.budgetUsd,
    onRunning: input.onRunning ?? 'refuse',
    force: input.force ?? false,
    waiting: input.waiting ?? dependencies.waiting,
    deadlines: { ...defaultDeadlines, ...input.deadlines },
    run: { key: runKey(identity), bucket: dependencies.bucket },
    prices: { ...trainingPrices, ...servingPrices },
    cloud: dependencies.cloud,
    searchAttributes: dependencies.searchAttributes,
    origin: origins(input, recipe),
  };
}

function resolveTraining(input: RunSpec, recipe: Recipe, providers: Providers) {
  const { training: defaults } = recipe.defaults;
  const name = input.training?.provider ?? defaults.provider;
  const baseModel = input.training?.baseModel ?? defaults.baseModel;
  const provider = choose(providers.training, name, 'training.provider');
  const { hyperparameters, settings, epochs, usdPerThousandTokens, byHour } = provider.resolve({
    baseModel,
    // A recipe's hyperparameters were found for the provider that it names.
    hyperparameters: {
      ...(name === defaults.provider && defaults.hyperparameters),
      ...input.training?.hyperparameters,
    },
    settings: input.training?.settings ?? {},
    records: null,
  });
  return {
    training: { provider: name, baseModel, hyperparameters, settings },
    prices: {
      epochs,
      usdPerThousandTrainingTokens: usdPerThousandTokens,
      trainingByHour: byHour,
      modelStorageUsdPerHour: provider.storageUsdPerHour(baseModel),
    },
  };
}

function resolveDeployment(input: RunSpec, target: string, baseModel: string, providers: Providers) {
  const { settings, usdPerHour, units, ...prices } = choose(
    providers.targets,
    target,
    'deployment.target',
  ).resolve({ baseModel, settings: input.deployment?.settings ?? {} });
  return {
    deployment: { target, settings },
    prices: { ...prices, deploymentUsdPerHour: usdPerHour, deploymentUnits: units },
  };
}

/** The recipe's target, or the first that serves what the provider makes where that one cannot. */
function usualTarget({ defaults }: Recipe, providerName: string, { training, targets }: Providers): string {
  const { produces } = choose(training, providerName, 'training.provider');
  const { target } = defaults.deployment;
  const fitting = [...targets.values()].filter(({ serves }) => canServe(serves, produces));
  return fitting.some(({ name }) => name === target) ? target : (fitting[0]?.name ?? target);
}

function canServe(serves: ModelFormat, produces: ModelFormat): boolean {
  return serves === produces || isConvertible(produces, serves);
}

function isConvertible(from: ModelFormat, to: ModelFormat): boolean {
  return from === 'adapter' && to === 'gguf';
}

const defaultQuantization = 'q8_0';

/** What lies between what the provider makes and what the target serves. */
function resolveConversion(
  { conversion }: RunSpec,
  providerName: string,
  targetName: string,
  { training, targets }: Providers,
): ResolvedRunSpec['conversion'] {
  const { produces } = choose(training, providerName, 'training.provider');
  const { serves } = choose(targets, targetName, 'deployment.target');
  if (isConvertible(produces, serves)) return completeConversion(conversion ?? {});
  if (produces !== serves) {
    const allowed = [...targets.values()]
      .filter((target) => canServe(target.serves, produces))
      .map(({ name }) => name);
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: deployment.target: found "${targetName}", which cannot serve what training.provider "${providerName}" makes; allowed: ${allowed.join(', ') || 'none here'}. Give for instance "deployment": {"target": "${allowed[0] ?? '…'}"}.`,
      [{ path: 'deployment.target', found: targetName, allowed }],
    );
  }
  if (conversion) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: conversion: found ${JSON.stringify(conversion)}; allowed: null, because "${targetName}" serves what "${providerName}" makes as it is. Leave it out.`,
      [{ path: 'conversion', found: conversion, allowed: [null] }],
    );
  }
  return null;
}

function completeConversion({
  quantization = defaultQuantization,
  form = 'merged',
  compare = ['f16'],
  parity: { prompts = 8, answerTokens = 64, ...tolerance } = {},
}: NonNullable<RunSpec['conversion']>): NonNullable<ResolvedRunSpec['conversion']> {
  return {
    quantization,
    form,
    compare: [...new Set(compare)].filter((format) => format !== quantization),
    parity: { prompts, answerTokens, tolerance: { ...defaultTolerances[quantization], ...tolerance } },
  };
}

function resolveValidation(input: RunSpec, recipe: Recipe): ResolvedRunSpec['validation'] {
  const validation = { ...recipe.defaults.validation, ...input.validation };
  choose(new Map(recipe.suites.map((suite) => [suite, suite])), validation.suite, 'validation.suite');
  choose(new Map(Object.entries(recipe.policies)), validation.policy, 'validation.policy');
  return validation;
}

/**
 * Ten hexadecimal digits that every name and token of a run derives from. The original run ID is the same
 * after a reset, so that a reset run finds what the first one bought.
 */
export function runKey({ workflowId, originalRunId }: RunIdentity): string {
  return createHash('sha256').update(`${workflowId}\n${originalRunId}`).digest('hex').slice(0, 10);
}

function datasetSource(recipe: Recipe, source: DatasetSource | null): DatasetSource {
  if (source === null) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: dataset.source: found nothing; recipe "${recipe.name}" has no data of its own. Name a file, for instance {"kind":"file","path":"data/train.jsonl"}.`,
    );
  }
  if (source.kind !== 'builder') return source;
  if (!recipe.builder) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: dataset.source.kind: found "builder"; recipe "${recipe.name}" has no builder. Allowed: file, folder, sql, manifest.`,
    );
  }
  const backends = new Map(recipe.builder.backends.map((name) => [name, name]));
  const own = recipe.defaults.dataset.source;
  const defaults = own?.kind === 'builder' ? own : null;
  const backend = source.backend ?? defaults?.backend ?? recipe.builder.backends[0] ?? '';
  choose(backends, backend, 'dataset.source.backend');
  return {
    kind: 'builder',
    backend,
    records: source.records ?? defaults?.records ?? 1000,
    seed: source.seed ?? defaults?.seed ?? 1,
  };
}
