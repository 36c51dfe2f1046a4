import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblems, parseInput } from '../../src/domain/parse-input.js';
import { runSpecSchema } from '../../src/domain/run-spec.js';

function problemsOf(input: unknown) {
  const parsed = parseInput(runSpecSchema, input);
  return 'problems' in parsed ? parsed.problems : [];
}

describe('parsing a run spec', () => {
  it('takes a recipe alone', () => {
    expect(problemsOf({ recipe: 'example' })).toEqual([]);
  });

  it('names every fault at once: path, what was found, what is allowed', () => {
    const problems = problemsOf({
      recipe: 'Ex Ample',
      modle: 'x',
      validation: { samples: 'ten' },
      dataset: { source: { kind: 'fiel', path: 'a' } },
      approval: 'befor-training',
    });
    expect(problems.map(({ path, hint }) => [path, hint])).toEqual(
      expect.arrayContaining([
        ['recipe', null],
        ['modle', 'model'],
        ['validation.samples', null],
        ['dataset.source.kind', 'file'],
        ['approval', 'before-training'],
      ]),
    );
    expect(formatProblems('the run spec', problems)).toContain(
      'modle: found an unknown field; allowed: recipe, model',
    );
    expect(formatProblems('the run spec', problems)).toContain(
      'found "ten"; allowed: a value of type number',
    );
  });

  it('says where a misspelt field belongs to, also deep inside', () => {
    expect(problemsOf({ recipe: 'example', training: { hyperparameter: {} } })).toMatchObject([
      { path: 'training.hyperparameter', hint: 'hyperparameters' },
    ]);
    expect(problemsOf({ recipe: 'example', dataset: { source: { kind: 'file', paht: 'x' } } })).toEqual(
      expect.arrayContaining([expect.objectContaining({ path: 'dataset.source.paht', hint: 'path' })]),
    );
  });

  it.each([[undefined], [null], [[]], ['recipe'], [7]])('refuses %j as a whole', (input) => {
    expect(problemsOf(input)).toMatchObject([{ path: '(input)' }]);
  });

  it('never throws, whatever JSON it is given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (input) => {
        const parsed = parseInput(runSpecSchema, input);
        if ('problems' in parsed)
          expect(formatProblems('x', parsed.problems)).toMatch(/^InvalidInput: x has /);
      }),
      { numRuns: 1000 },
    );
  });
});
