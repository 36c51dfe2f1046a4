import type { Recipe } from '../../domain/recipe.js';
import { defaultDeadlines, type RunSpec } from '../../domain/run-spec.js';

/** For each part of a run spec, who decided it. */
export function origins(input: RunSpec, recipe: Recipe): Record<string, string> {
  const given = (value: unknown, otherwise: string) => (value === undefined ? otherwise : 'your run spec');
  const ofRecipe = `recipe ${recipe.name}`;
  const hyperparameters = Object.fromEntries(
    Object.keys({ ...recipe.defaults.training.hyperparameters, ...input.training?.hyperparameters }).map(
      (key) => [`training.hyperparameters.${key}`, given(input.training?.hyperparameters?.[key], ofRecipe)],
    ),
  );
  return {
    recipe: 'your run spec',
    recipeHash: "the recipe's files",
    model: given(input.model, ofRecipe),
    'dataset.source': given(input.dataset?.source, ofRecipe),
    'dataset.validationShare': given(input.dataset?.validationShare, ofRecipe),
    'training.provider': given(input.training?.provider, ofRecipe),
    'training.baseModel': given(input.training?.baseModel, ofRecipe),
    'training.hyperparameters': 'provider',
    ...hyperparameters,
    'training.settings': given(input.training?.settings, 'provider'),
    conversion: given(input.conversion, 'provider and target'),
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
