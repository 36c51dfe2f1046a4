import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRecipeData } from '../../src/recipes/load-recipe-data.js';
import { loadCatalogue } from '../../src/recipes/stylist/catalogue.js';
import { type Garment, scoreGarment, verdictOf, type Wearer } from '../../src/recipes/stylist/scoring.js';
import { stylistDirectory } from './stylist-recipe.js';

const catalogue = loadCatalogue(loadRecipeData(stylistDirectory));
const { scoring, garments } = catalogue;

const wearers: fc.Arbitrary<Wearer> = fc.record({
  heightInches: fc.integer({ min: 48, max: 84 }),
  bodyShape: fc.constantFrom(...Object.keys(scoring.bodyShapes)),
  goals: fc.subarray(Object.keys(scoring.goals)),
});

const anyGarment: fc.Arbitrary<Garment> = fc
  .constantFrom(...Object.entries(garments.categories))
  .chain(([category, definition]) =>
    fc
      .record(
        Object.fromEntries(
          definition.attributes.map((attribute) => [
            attribute,
            fc.constantFrom(...Object.keys(garments.attributes[attribute]?.words ?? {})),
          ]),
        ),
      )
      .map((attributes) => ({
        name: 'A garment',
        category,
        style: category,
        fabric: null,
        color: null,
        attributes,
      })),
  );

describe('the scorer', () => {
  it('knows five body shapes, 18 categories, 16 principles and three verdicts', () => {
    expect(Object.keys(scoring.bodyShapes)).toHaveLength(5);
    expect(Object.keys(garments.categories)).toHaveLength(18);
    expect(Object.keys(scoring.principles)).toHaveLength(16);
    expect(scoring.verdicts.map(({ id, color }) => [id, color])).toEqual([
      ['this_is_it', 'teal'],
      ['smart_pick', 'amber'],
      ['not_this_one', 'rose'],
    ]);
  });

  it('scores any garment for any wearer from 0 to 10, and its verdict follows from the score shown', () => {
    fc.assert(
      fc.property(wearers, anyGarment, (wearer, garment) => {
        const result = scoreGarment(catalogue, garment, wearer);
        expect(result.score).toBeGreaterThanOrEqual(0);
        expect(result.score).toBeLessThanOrEqual(10);
        expect(result.verdict).toBe(
          result.score >= 8 ? 'this_is_it' : result.score >= 5 ? 'smart_pick' : 'not_this_one',
        );
        for (const { score } of result.principles) expect(Math.abs(score)).toBeLessThanOrEqual(1);
        expect(scoreGarment(catalogue, garment, wearer)).toEqual(result);
      }),
    );
  });

  it('lets no principle have more than its share of the weight', () => {
    fc.assert(
      fc.property(wearers, anyGarment, (wearer, garment) => {
        const { principles } = scoreGarment(catalogue, garment, wearer);
        const capped = scoreGarment(
          { ...catalogue, scoring: { ...scoring, mean: { ...scoring.mean, maximumWeightShare: 0.08 } } },
          garment,
          wearer,
        );
        const total = principles.reduce((sum, { weight }) => sum + weight, 0);
        for (const { weight } of capped.principles) expect(weight).toBeLessThanOrEqual(total * 0.08 + 1e-9);
      }),
    );
  });

  it('draws the line between the verdicts at 5.0 and 8.0', () => {
    expect([0, 4.9, 5, 7.9, 8, 10].map((score) => verdictOf(catalogue, score))).toEqual([
      'not_this_one',
      'not_this_one',
      'smart_pick',
      'smart_pick',
      'this_is_it',
      'this_is_it',
    ]);
  });

  it('judges the same waist differently for different wearers', () => {
    const garment = { name: 'Belt', category: 'dress', style: 'dress', fabric: null, color: null };
    const scoreFor = (bodyShape: string) =>
      scoreGarment(
        catalogue,
        { ...garment, attributes: { waist: 'belted' } },
        { heightInches: 65, bodyShape, goals: ['define_waist'] },
      );
    expect(scoreFor('hourglass').score).toBeGreaterThan(scoreFor('apple').score);
    expect(scoreFor('hourglass').goals).toEqual([
      { goal: 'define_waist', label: 'Define the waist', effect: 'helping' },
    ]);
    expect(scoreFor('apple').goals[0]?.effect).toBe('fighting');
  });

  it('calls a goal mixed when its principles pull both ways', () => {
    const garment = { name: 'Coat', category: 'coat', style: 'coat', fabric: null, color: null };
    const { goals } = scoreGarment(
      catalogue,
      { ...garment, attributes: { waist: 'belted', ease: 'roomy' } },
      { heightInches: 65, bodyShape: 'inverted_triangle', goals: ['define_waist'] },
    );
    expect(goals[0]?.effect).toBe('mixed');
  });
});
