import { createHash } from 'node:crypto';
import { PermanentFailure } from '../../domain/failures.js';
import type { Recipe } from '../../domain/recipe.js';
import {
  type DatasetSource,
  defaultDeadlines,
  type ResolvedRunSpec,
  type RunSpec,
} from '../../domain/run-spec.js';
import type { Waiting } from '../../domain/waiting.js';
import { choose, type Providers } from '../providers.js';

export interface ResolveDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly cloud: string;
  readonly bucket: string;
  readonly waiting: Waiting;
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
  const { providers } = dependencies;
  const recipe = choose(dependencies.recipes, input.recipe, 'recipe');
  const { defaults } = recipe;

  const providerName = input.training?.provider ?? defaults.training.provider;
  const baseModel = input.training?.baseModel ?? defaults.training.baseModel;
  const provider = choose(providers.training, providerName, 'training.provider');
  const training = provider.resolve({
    baseModel,
    hyperparameters: { ...defaults.training.hyperparameters, ...input.training?.hyperparameters },
    settings: input.training?.settings ?? {},
    records: null,
  });

  const targetName = input.deployment?.target ?? defaults.deployment.target;
  const deployment = choose(providers.targets, targetName, 'deployment.target').resolve({
    baseModel,
    settings: input.deployment?.settings ?? {},
  });

  const validation = { ...defaults.validation, ...input.validation };
  choose(new Map(recipe.suites.map((suite) => [suite, suite])), validation.suite, 'validation.suite');
  choose(new Map(Object.entries(recipe.policies)), validation.policy, 'validation.policy');

  return {
    recipe: recipe.name,
    recipeHash: recipe.contentHash,
    model: input.model ?? recipe.name,
    dataset: {
      source: datasetSource(recipe, input.dataset?.source ?? defaults.dataset.source),
      validationShare: input.dataset?.validationShare ?? defaults.dataset.validationShare,
    },
    training: {
      provider: providerName,
      baseModel,
      hyperparameters: training.hyperparameters,
      settings: training.settings,
    },
    conversion: null,
    deployment: { target: targetName, settings: deployment.settings },
    validation,
    approval: input.approval ?? 'none',
    budgetUsd: input.budgetUsd ?? defaults.budgetUsd,
    onRunning: input.onRunning ?? 'refuse',
    force: input.force ?? false,
    waiting: input.waiting ?? dependencies.waiting,
    deadlines: { ...defaultDeadlines, ...input.deadlines },
    run: { key: runKey(identity), bucket: dependencies.bucket },
    prices: {
      epochs: training.epochs,
      usdPerThousandTrainingTokens: training.usdPerThousandTokens,
      modelStorageUsdPerHour: provider.storageUsdPerHour(baseModel),
      deploymentUsdPerHour: deployment.usdPerHour,
      usdPerThousandInputTokens: deployment.usdPerThousandInputTokens,
      usdPerThousandOutputTokens: deployment.usdPerThousandOutputTokens,
    },
    cloud: dependencies.cloud,
    origin: origins(input, recipe),
  };
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
      `InvalidInput: dataset.source.kind: found "builder"; recipe "${recipe.name}" has no builder. Allowed: file, folder, manifest.`,
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

/** For each part of a run spec, who decided it. */
function origins(input: RunSpec, recipe: Recipe): Record<string, string> {
  const given = (value: unknown, otherwise: string) => (value === undefined ? otherwise : 'your run spec');
  const ofRecipe = `recipe ${recipe.name}`;
  const hyperparameters = Object.fromEntries(
    Object.keys({ ...recipe.defaults.training.hyperparameters, ...input.training?.hyperparameters }).map(
      (key) => [`training.hyperparameters.${key}`, given(input.training?.hyperparameters?.[key], ofRecipe)],
    ),
  );
  return {
    recipe: 'your run spec',
    model: given(input.model, ofRecipe),
    'dataset.source': given(input.dataset?.source, ofRecipe),
    'dataset.validationShare': given(input.dataset?.validationShare, ofRecipe),
    'training.provider': given(input.training?.provider, ofRecipe),
    'training.baseModel': given(input.training?.baseModel, ofRecipe),
    ...hyperparameters,
    'training.settings': given(input.training?.settings, 'provider'),
    conversion: 'this target needs none',
    'deployment.target': given(input.deployment?.target, ofRecipe),
    'deployment.settings': given(input.deployment?.settings, 'provider'),
    ...Object.fromEntries(
      (['suite', 'policy', 'samples', 'seed', 'temperature'] as const).map((key) => [
        `validation.${key}`,
        given(input.validation?.[key], ofRecipe),
      ]),
    ),
    approval: given(input.approval, 'Anneal'),
    budgetUsd: given(input.budgetUsd, ofRecipe),
    onRunning: given(input.onRunning, 'Anneal'),
    force: given(input.force, 'Anneal'),
    waiting: given(input.waiting, 'configuration of the worker'),
    ...Object.fromEntries(
      Object.keys(defaultDeadlines).map((key) => [
        `deadlines.${key}`,
        given(input.deadlines?.[key as keyof typeof defaultDeadlines], 'Anneal'),
      ]),
    ),
    prices: 'prices/aws.json',
    cloud: 'configuration of the worker',
  };
}
