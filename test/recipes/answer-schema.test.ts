import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadRecipes } from '../../src/recipes/registry.js';
import { recipeSchemas } from '../local/support/answer-schemas.js';

const recipes = loadRecipes('recipes');

/** What the recipes train on is what a model that is held to the schema could say. */
const rightAnswers: Record<string, () => string[]> = {
  stylist: () =>
    [...(recipes.get('stylist')?.builder?.build({ backend: 'phrase-bank', records: 40, seed: 1 }) ?? [])].map(
      ({ turns }) => turns.at(-1)?.text ?? '',
    ),
  optimizer: () => [
    '{"variables":["x"],"objective":{"direction":"maximize","name":"profit","terms":{"x":2}},"constraints":[{"terms":{"x":1},"operator":"<=","limit":4}]}',
  ],
};

describe.each(recipeSchemas())('the answer schema of %s', (name, schema) => {
  const parse = (answer: string) =>
    z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(JSON.parse(answer));

  it('takes every right answer', () => {
    const answers = rightAnswers[name]?.() ?? [];
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) expect(parse(answer).error, answer).toBeUndefined();
  });

  it('refuses what the recipe refuses', () => {
    for (const answer of ['{}', '{"headline":"Yes"}', '[]', '"text"']) {
      expect(recipes.get(name)?.parseAnswer(answer)).toHaveProperty('fault');
      expect(parse(answer).success, answer).toBe(false);
    }
  });
});

it('free text has none', () => {
  expect(recipes.get('conversation')?.answerSchema).toBeUndefined();
});
