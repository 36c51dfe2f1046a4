import type { JsonObject } from '../../../src/domain/json.js';
import { loadRecipes } from '../../../src/recipes/registry.js';

export const colours = ['red', 'green', 'blue'];

/** Short enough that even a model of random weights comes to an end. */
export const colourSchema: JsonObject = {
  type: 'object',
  properties: { colour: { enum: colours } },
  required: ['colour'],
  additionalProperties: false,
};

/** The schema of every recipe that has one, by the recipe's name. */
export function recipeSchemas(): [string, JsonObject][] {
  return [...loadRecipes('recipes').values()].flatMap(({ name, answerSchema }): [string, JsonObject][] =>
    answerSchema ? [[name, answerSchema]] : [],
  );
}
