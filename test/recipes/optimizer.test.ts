import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { optimizerExamples } from '../../scripts/write-optimizer-examples.js';
import type { JsonObject } from '../../src/domain/json.js';
import { isSameMathematics, isSameStructure } from '../../src/recipes/optimizer/equality.js';
import {
  checkModel,
  type OptimizationModel,
  parseModel,
  renderModel,
} from '../../src/recipes/optimizer/model.js';
import { parseQuantity } from '../../src/recipes/optimizer/quantities.js';
import { createOptimizerRecipe } from '../../src/recipes/optimizer/recipe.js';

const recipe = createOptimizerRecipe('recipes/optimizer');
const origin = { source: 'file:test.jsonl#1', index: 0 };

function modelOf(row: JsonObject): OptimizationModel {
  const result = recipe.mapRow(row, origin);
  if (!('record' in result)) throw new Error(JSON.stringify(result));
  const parsed = parseModel(result.record.turns[1]?.text ?? '');
  if ('fault' in parsed) throw new Error(parsed.fault);
  return parsed.model;
}

/** A row as the NL4Opt competition has them; the problem is our own. */
function competitionRow(change: JsonObject = {}): JsonObject {
  return {
    id: '17',
    document: 'A stable feeds oats and hay to its horses at the least cost.',
    vars: ['oats', 'bales of hay'],
    obj_declaration: {
      type: 'objective',
      direction: 'minimum',
      name: 'cost',
      terms: { oat: '1,200.50', 'bale of hay': 'four' },
    },
    const_declarations: [],
    order_mapping: { oats: 0, 'bales of hay': 1 },
    ...change,
  };
}

describe('competition rows', () => {
  it.each([
    [
      'linear',
      { terms: { oats: '2', hay: '3' }, limit: '8000 minutes' },
      { oats: 2, 'bales of hay': 3 },
      8000,
    ],
    ['sum', { limit: 'one hundred thousand' }, { oats: 1, 'bales of hay': 1 }, 100_000],
    ['upperbound', { var: 'oats', limit: '50' }, { oats: 1 }, 50],
    ['lowerbound', { var: 'bale of hay', limit: 'ten' }, { 'bales of hay': 1 }, 10],
    ['xy', { x_var: 'oats', y_var: 'bales of hay' }, { oats: 1, 'bales of hay': -1 }, 0],
    [
      'xby',
      { x_var: 'oats', param: 'three times', y_var: 'bales of hay' },
      { oats: 1, 'bales of hay': -3 },
      0,
    ],
    ['ratio', { var: 'oats', limit: '30%' }, { oats: 0.7, 'bales of hay': -0.3 }, 0],
  ])('turn a %s constraint into a linear one', (type, declaration, terms, limit) => {
    const row = competitionRow({ const_declarations: [{ type, operator: 'LESS_OR_EQUAL', ...declaration }] });
    expect(modelOf(row).constraints).toEqual([{ terms, operator: '<=', limit }]);
  });

  it('read directions and numbers as people write them, and names in the variables’ spelling', () => {
    expect(modelOf(competitionRow()).objective).toEqual({
      direction: 'minimize',
      name: 'cost',
      terms: { oats: 1200.5, 'bales of hay': 4 },
    });
    const direction = (text: string) =>
      modelOf(
        competitionRow({ obj_declaration: { type: 'objvar', direction: text, name: 'n', vars: ['oats'] } }),
      ).objective;
    for (const text of ['maximize', 'highest', 'maximizing', 'Maximum'])
      expect(direction(text).direction).toBe('maximize');
    for (const text of ['reduce', 'decrease', 'minimum']) expect(direction(text).direction).toBe('minimize');
    expect(direction('most').terms).toEqual({ oats: 1 });
  });

  it('trust the words of a name before the table of spellings, which is sometimes wrong', () => {
    const row = competitionRow({
      vars: ['economical', 'premium mobile'],
      obj_declaration: {
        direction: 'maximize',
        name: 'profit',
        terms: { 'economical mobile phone': '1', 'premium mobile phone': '2' },
      },
      order_mapping: { 'economical mobile phone': 1, 'premium mobile phone': 1 },
    });
    expect(modelOf(row).objective.terms).toEqual({ economical: 1, 'premium mobile': 2 });
  });

  it('are left out where the annotators left coefficients out', () => {
    const row = competitionRow({
      const_declarations: [{ type: 'linear', operator: 'LESS_OR_EQUAL', terms: {}, limit: '5' }],
    });
    expect(recipe.mapRow(row, origin)).toEqual({ leftOut: 'IncompleteModel' });
  });

  it.each([
    [
      { const_declarations: [{ type: 'cubic', operator: 'LESS_OR_EQUAL' }] },
      'const_declarations[0].type: found "cubic"',
    ],
    [
      { const_declarations: [{ type: 'sum', operator: 'ABOUT', limit: '3' }] },
      'const_declarations[0].operator: found "ABOUT"',
    ],
    [
      { const_declarations: [{ type: 'sum', operator: '<=', limit: 'a few' }] },
      'const_declarations[0].limit: found "a few"',
    ],
    [
      { const_declarations: [{ type: 'upperbound', operator: '<=', var: 'carrots', limit: '3' }] },
      'found "carrots"',
    ],
    [
      { obj_declaration: { direction: 'sideways', terms: {} } },
      'obj_declaration.direction: found "sideways"',
    ],
    [{ vars: [] }, '"vars" is missing'],
  ])('name the path of what cannot be read', (change, message) => {
    expect(recipe.mapRow(competitionRow(change as JsonObject), origin)).toMatchObject({
      problem: { message: expect.stringContaining(message) },
    });
  });
});

describe('plain rows', () => {
  it('take numbers written as text, and name what is wrong', () => {
    const model = {
      variables: ['a'],
      objective: { direction: 'maximize', name: 'n', terms: { a: '3' } },
      constraints: [{ terms: { a: '50%' }, operator: '<=', limit: '1,000' }],
    };
    expect(modelOf({ problem: 'p', model }).constraints).toEqual([
      { terms: { a: 0.5 }, operator: '<=', limit: 1000 },
    ]);
    const broken = recipe.mapRow({ problem: 'p', model: { ...model, variables: [] } }, origin);
    expect(broken).toMatchObject({
      problem: { code: 'InvalidModel', message: expect.stringContaining('model.variables') },
    });
    expect(recipe.mapRow({ question: 'p' }, origin)).toMatchObject({ problem: { code: 'MissingMember' } });
  });

  it('keep equal problems in one group, whatever their spacing', () => {
    const [row] = optimizerExamples()['food.json'] ?? [];
    const group = (problem: string) => {
      const result = recipe.mapRow({ problem, model: row?.model as unknown as JsonObject }, origin);
      return 'record' in result ? result.record.groupKey : null;
    };
    expect(group('Bake  BREAD ')).toBe(group('bake bread'));
    expect(group('bake bread')).not.toBe(group('bake rolls'));
  });
});

describe('the examples', () => {
  const files = Object.entries(optimizerExamples());

  it('on disk are what the script writes', () => {
    for (const [file, rows] of files) {
      expect(JSON.parse(readFileSync(`recipes/optimizer/examples/${file}`, 'utf8'))).toEqual(rows);
    }
  });

  it('all map, differ, are sound and pass the ruleset', () => {
    const rows = files.flatMap(([, each]) => each);
    expect(rows.length).toBeGreaterThanOrEqual(24);
    const ids = new Set<string>();
    for (const row of rows) {
      const result = recipe.mapRow(row as unknown as JsonObject, origin);
      if (!('record' in result)) throw new Error(JSON.stringify(result));
      ids.add(result.record.groupKey);
      expect(checkModel(row.model).filter((check) => !check.passed)).toEqual([]);
      const checked = recipe.checkAnswer(row.model as unknown as JsonObject, {});
      expect([...checked.violations, ...checked.warnings]).toEqual([]);
    }
    expect(ids.size).toBe(rows.length);
  });
});

describe('scoring', () => {
  const [row] = optimizerExamples()['workshops.json'] ?? [];
  const model = row?.model as OptimizationModel;
  const mapped = recipe.mapRow({ ...row } as unknown as JsonObject, origin);
  const heldOut = 'record' in mapped ? [mapped.record] : [];
  const [question] = recipe.suite({ suite: 'held-out', samples: 10, seed: 1, heldOut });
  const score = (answer: string) => {
    if (!question) throw new Error('no question');
    return recipe.score(question, answer);
  };

  it('gives the expected model full marks', () => {
    expect(score(renderModel(model)).metrics).toEqual({
      accuracy: 1,
      'math.correct': 1,
      'fields.complete': 1,
      'business.logic': 1,
    });
  });

  it('tells the same mathematics from the same letters', () => {
    const [one, two] = model.constraints as [
      OptimizationModel['constraints'][0],
      OptimizationModel['constraints'][0],
    ];
    const turned = {
      terms: Object.fromEntries(Object.entries(one.terms).map(([name, value]) => [name, -2 * value])),
      operator: '>=' as const,
      limit: -2 * one.limit,
    };
    const singular = JSON.parse(
      renderModel({ ...model, constraints: [two, turned] }).replaceAll('mugs', 'Mug'),
    ) as OptimizationModel;
    expect(score(JSON.stringify(singular)).metrics).toMatchObject({ accuracy: 0, 'math.correct': 1 });
  });

  it('gives nothing to another limit, another direction or an answer that is no model', () => {
    const [one] = model.constraints as [OptimizationModel['constraints'][0]];
    const other = {
      ...model,
      constraints: [{ ...one, limit: one.limit + 1 }, ...model.constraints.slice(1)],
    };
    expect(score(renderModel(other)).metrics).toMatchObject({
      accuracy: 0,
      'math.correct': 0,
      'fields.complete': 1,
    });
    const reversed = { ...model, objective: { ...model.objective, direction: 'minimize' as const } };
    expect(score(renderModel(reversed)).metrics['math.correct']).toBe(0);
    expect(score('{"variables":[]}')).toMatchObject({
      formatFault: null,
      metrics: { 'fields.complete': 0, accuracy: 0 },
    });
    expect(score('Sure! {')).toMatchObject({
      document: null,
      formatFault: expect.stringContaining('not JSON'),
    });
  });

  it('never throws, whatever the answer', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (answer) => {
        for (const value of Object.values(score(answer).metrics))
          expect(value === 0 || value === 1).toBe(true);
      }),
    );
  });

  it('calls models equal whatever the order, side and scale of their constraints', () => {
    const names = ['ships', 'boats', 'rafts'];
    const terms = fc.dictionary(
      fc.constantFrom(...names),
      fc.integer({ min: -9, max: 9 }).filter((value) => value !== 0),
      { minKeys: 1 },
    );
    const constraint = fc.record({
      terms,
      operator: fc.constantFrom('<=' as const, '>=' as const, '=' as const),
      limit: fc.integer({ min: -99, max: 99 }),
    });
    const models = fc.record({
      variables: fc.constant(names),
      objective: fc.record({
        direction: fc.constantFrom('maximize' as const, 'minimize' as const),
        name: fc.constant('n'),
        terms,
      }),
      constraints: fc.array(constraint, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(models, fc.integer({ min: 1, max: 7 }), (one, scale) => {
        const other = {
          ...one,
          constraints: [...one.constraints].reverse().map((each) => ({
            terms: Object.fromEntries(
              Object.entries(each.terms).map(([name, value]) => [name, -scale * value]),
            ),
            operator:
              each.operator === '='
                ? ('=' as const)
                : each.operator === '<='
                  ? ('>=' as const)
                  : ('<=' as const),
            limit: -scale * each.limit,
          })),
        };
        expect(isSameMathematics(one, other)).toBe(true);
        expect(isSameStructure(one, { ...one, constraints: [...one.constraints].reverse() })).toBe(true);
      }),
    );
  });
});

describe('quantities', () => {
  it.each([
    ['4,000', 4000],
    ['$12.50', 12.5],
    ['thirty percent', 0.3],
    ['7.5%', 0.075],
    ['twice', 2],
    ['2 times', 2],
    ['third', 1 / 3],
    ['two hundred and fifty thousand', 250_000],
    ['twenty-five', 25],
    [7, 7],
    ['a few', null],
    ['2 or 3', null],
    ['', null],
    [Number.NaN, null],
    [null, null],
    ['constructor', null],
  ])('%s is %s', (text, value) => {
    const quantity = parseQuantity(text);
    if (value === null) expect(quantity).toBeNull();
    else expect(quantity).toBeCloseTo(value, 9);
  });
});

describe('inference', () => {
  const { inference } = recipe;
  const [row] = optimizerExamples()['energy.json'] ?? [];

  it('answers with readable lines and checks', () => {
    const prepared = inference?.prepare({ problem: row?.problem });
    expect(prepared?.turns).toEqual([{ role: 'user', text: row?.problem }]);
    const answer = inference?.respond({}, renderModel(row?.model as OptimizationModel));
    expect(answer).toMatchObject({
      response: { sound: true, lines: { objective: 'maximize profit = 45 roof panels + 64 field panels' } },
    });
  });

  it('says what is wrong with a request, and with an answer', () => {
    expect(() => inference?.prepare({ problm: 'x' })).toThrow('problem');
    expect(inference?.respond({}, 'no')).toMatchObject({ fault: expect.stringContaining('not JSON') });
  });

  it('points at a variable that nothing uses', () => {
    const answer = inference?.respond(
      {},
      renderModel({
        variables: ['a', 'b'],
        objective: { direction: 'maximize', name: 'n', terms: { a: 1 } },
        constraints: [{ terms: { a: 1 }, operator: '<=', limit: 3 }],
      }),
    );
    expect(answer).toMatchObject({
      response: {
        sound: false,
        checks: expect.arrayContaining([{ id: 'variables-used', passed: false, message: 'Never used: b.' }]),
      },
    });
  });

  it('has a last resort that passes the ruleset', () => {
    expect(inference?.phraseBank({}, 0)).toBeNull();
    expect(recipe.checkAnswer(inference?.safeTemplate({}) ?? {}, {}).passed).toBe(true);
  });
});
