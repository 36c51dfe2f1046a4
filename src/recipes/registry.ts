import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PermanentFailure } from '../domain/failures.js';
import type { Recipe } from '../domain/recipe.js';
import { createConversationRecipe } from './conversation.js';
import { createOptimizerRecipe } from './optimizer/recipe.js';
import { createProfileScorerRecipe } from './profile-scorer/recipe.js';
import { createStylistRecipe } from './stylist/recipe.js';

/** The recipes with code of their own. Every other recipe folder is data for ready conversations. */
const recipesWithCode: Readonly<Record<string, (dataDirectory: string) => Recipe>> = {
  stylist: createStylistRecipe,
  optimizer: createOptimizerRecipe,
  'profile-scorer': createProfileScorerRecipe,
};

/**
 * Loads every folder below `recipesDirectory` that holds a `recipe.json`. All or nothing: a recipe that
 * cannot be used is an error that names its folder, not a recipe that is missing later.
 */
export function loadRecipes(recipesDirectory: string): ReadonlyMap<string, Recipe> {
  const names = recipeFolders(recipesDirectory);
  if (names.length === 0) {
    throw new PermanentFailure(
      'InvalidInput',
      `${recipesDirectory} holds no recipe; give a folder whose subfolders hold a recipe.json.`,
    );
  }
  return new Map(names.map((name) => [name, loadRecipe(join(recipesDirectory, name), name)]));
}

function recipeFolders(recipesDirectory: string): string[] {
  if (!existsSync(recipesDirectory)) return [];
  return readdirSync(recipesDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(recipesDirectory, entry.name, 'recipe.json')))
    .map((entry) => entry.name)
    .sort();
}

function loadRecipe(folder: string, name: string): Recipe {
  const create = Object.hasOwn(recipesWithCode, name) ? recipesWithCode[name] : undefined;
  let recipe: Recipe;
  try {
    recipe = (create ?? createConversationRecipe)(folder);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PermanentFailure('InvalidInput', `The recipe in ${folder} is not usable: ${message}`, [], {
      cause: error,
    });
  }
  if (recipe.name === name) return recipe;
  throw new PermanentFailure(
    'InvalidInput',
    `${join(folder, 'recipe.json')}: name: found "${recipe.name}"; allowed: "${name}", the folder's name.`,
  );
}
