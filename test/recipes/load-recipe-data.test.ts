import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStylistRecipe } from '../../src/recipes/stylist/recipe.js';
import { stylist, stylistDirectory } from './stylist-recipe.js';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'recipe-')), 'stylist');
  cpSync(stylistDirectory, folder, { recursive: true });
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

const edit = (file: string, change: (text: string) => string) =>
  writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));

describe('a recipe folder', () => {
  it('has the same hash wherever it lies, and another one after any edit', () => {
    expect(createStylistRecipe(folder).contentHash).toBe(stylist.contentHash);
    edit('prompt/system.txt', (text) => `${text}\nBe brief.`);
    const edited = createStylistRecipe(folder);
    expect(edited.contentHash).not.toBe(stylist.contentHash);
    expect(edited.rulesetHash).toBe(stylist.rulesetHash);
  });

  it('supplies the defaults of a run and its gate policy', () => {
    expect(stylist.defaults).toMatchObject({
      dataset: {
        source: { kind: 'builder', backend: 'phrase-bank', records: 1085, seed: 1 },
        validationShare: 0.1,
      },
      training: { provider: 'bedrock', baseModel: 'amazon.nova-micro-v1:0:128k' },
      validation: { suite: 'golden', policy: 'stylist', samples: 1085 },
    });
    const checks = stylist.policies.stylist?.checks ?? [];
    expect(checks.filter(({ critical }) => critical).map(({ metric }) => metric)).toEqual([
      'raw.blocks',
      'raw.passRate',
      'json.valid',
      'verdict.agreement',
    ]);
  });

  it.each([
    ['a file that is not JSON', 'recipe.json', () => '{', /recipe\.json is not JSON/],
    [
      'an unknown field',
      'recipe.json',
      (text: string) => text.replace('budgetUsd', 'budgetEur'),
      /budgetEur/,
    ],
    [
      'a principle without phrases',
      'phrases.json',
      (text: string) => text.replace('"detail_focus"', '"detail"'),
      /no phrases for principle "detail_focus"/,
    ],
    [
      'a style with an unknown attribute value',
      'garments.json',
      (text: string) => text.replace('"waist": "wrap"', '"waist": "warp"'),
      /wrap dress has unknown waist "warp"/,
    ],
    [
      'a safe answer that breaks a rule',
      'response.json',
      (text: string) => text.replace('This one is a clear yes', 'You look slimmer in it'),
      /safeAnswers\.this_is_it/,
    ],
    [
      'a ruleset that fails its own examples',
      'ruleset.json',
      (text: string) => text.replace('"It highlights your belly"', '"It is a fine coat"'),
      /It is a fine coat/,
    ],
  ])('does not load with %s, and says where', (_, file, change, message) => {
    edit(file, change);
    expect(() => createStylistRecipe(folder)).toThrow(message);
  });

  it('names a folder that does not exist', () => {
    expect(() => createStylistRecipe('/nowhere/stylist')).toThrow(/\/nowhere\/stylist does not exist/);
  });

  it('names a missing file', () => {
    rmSync(join(folder, 'scoring.json'));
    expect(() => createStylistRecipe(folder)).toThrow(/scoring\.json is missing/);
  });
});
