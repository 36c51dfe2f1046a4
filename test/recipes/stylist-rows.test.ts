import { describe, expect, it } from 'vitest';
import type { DatasetRecord } from '../../src/domain/dataset.js';
import type { RowResult } from '../../src/domain/recipe.js';
import { stylist } from './stylist-recipe.js';

const records: DatasetRecord[] = [
  ...(stylist.builder?.build({ backend: 'phrase-bank', records: 30, seed: 1 }) ?? []),
];
const origin = { source: 'file:rows.jsonl#1', index: 0 };
const answer = {
  headline: 'A fine coat',
  pinch: [
    { text: 'The cut is neat.', style: 'positive' },
    { text: 'Add a belt.', style: 'fix' },
  ],
};
const row = { wearer: { bodyShape: 'pear' }, garment: { name: 'Coat', category: 'coat' }, answer };
const problemOf = (result: RowResult) => ('problem' in result ? result.problem : null);

describe('a ready conversation', () => {
  it('gets the label and the group that the builder gave it', () => {
    for (const record of records) {
      const stripped = { ...record, label: null, groupKey: 'unknown' };
      expect(stylist.annotate(stripped)).toEqual({ record });
    }
  });

  it('is accepted when its words contradict its verdict: only validation can see that', () => {
    const [first, second] = records as [DatasetRecord, DatasetRecord];
    const turns = [first.turns[0], second.turns[1]] as DatasetRecord['turns'];
    const result = stylist.annotate({ ...first, turns });
    expect(result).toMatchObject({ record: { label: first.label } });
  });

  it('is refused without a verdict, or with an answer that is not the JSON asked for', () => {
    const [record] = records as [DatasetRecord];
    const [prompt, reply] = record.turns as [DatasetRecord['turns'][0], DatasetRecord['turns'][0]];
    const withTurns = (user: string, assistant: string) =>
      problemOf(
        stylist.annotate({
          ...record,
          turns: [
            { ...prompt, text: user },
            { ...reply, text: assistant },
          ],
        }),
      );
    expect(withTurns('What do you think?', reply.text)?.code).toBe('MissingVerdict');
    expect(withTurns(prompt.text, 'Lovely!')).toMatchObject({
      code: 'UnparsableAnswer',
      message: expect.stringContaining('not JSON'),
    });
  });

  it('is grouped by its prompt when the prompt names no garment', () => {
    const [record] = records as [DatasetRecord];
    const turns = [
      { role: 'user' as const, text: 'VERDICT: smart_pick' },
      record.turns[1],
    ] as DatasetRecord['turns'];
    const once = stylist.annotate({ ...record, turns });
    expect(once).toMatchObject({
      record: { label: 'smart_pick', groupKey: expect.stringMatching(/^[0-9a-f]{24}$/) },
    });
    expect(stylist.annotate({ ...record, id: 'other', turns })).toMatchObject({
      record: { groupKey: 'record' in once ? once.record.groupKey : '' },
    });
  });
});

describe('a scored scenario row', () => {
  it('becomes a record with the prompt, score and verdict of the scorer', () => {
    const result = stylist.mapRow({ ...row, id: 'row-1', quality: 9 }, origin);
    expect(result).toMatchObject({
      record: {
        id: 'row-1',
        groupKey: 'pear/coat/coat',
        label: 'smart_pick',
        source: origin.source,
        quality: 9,
      },
    });
  });

  it.each([
    [
      'a verdict that the score does not give',
      { ...row, verdict: 'this_is_it' },
      'StaleVerdict',
      'smart_pick',
    ],
    ['no answer', { ...row, answer: undefined }, 'NotAScenario', 'answer: found nothing'],
    ['a broken answer', { ...row, answer: { headline: 'x' } }, 'UnparsableAnswer', 'pinch'],
    ['an unknown body shape', { ...row, wearer: { bodyShape: 'cube' } }, 'NotAScenario', 'wearer.bodyShape'],
    ['something else entirely', { text: 'hello' }, 'NotAScenario', 'wearer: found nothing'],
  ])('is refused for %s', (_, bad, code, message) => {
    const problem = problemOf(stylist.mapRow(JSON.parse(JSON.stringify(bad)), origin));
    expect(problem).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(problem?.remedy).not.toBe('');
  });
});
