import { describe, expect, it } from 'vitest';
import type { DatasetRecord } from '../../src/domain/dataset.js';
import type { EvaluationCase } from '../../src/domain/evaluation/evaluation.js';
import { createSeededRandom } from '../../src/recipes/seeded-random.js';
import { stylist } from './stylist-recipe.js';

const training = (records: number, seed: number): DatasetRecord[] => [
  ...(stylist.builder?.build({ backend: 'phrase-bank', records, seed }) ?? []),
];
const golden = (samples: number, seed: number) =>
  stylist.suite({ suite: 'golden', samples, seed, heldOut: [] });
const question = (verdict: string): EvaluationCase => ({
  id: 'one',
  groupKey: 'one',
  system: null,
  turns: [],
  expected: { label: verdict },
});
const metricsOf = (verdict: string, answer: string) => stylist.score(question(verdict), answer).metrics;

describe('the golden suite', () => {
  it('asks exactly as many different questions as wanted, the same ones for the same seed', () => {
    const cases = golden(1085, 7);
    expect(cases).toHaveLength(1085);
    expect(golden(1085, 7)).toEqual(cases);
    expect(new Set(cases.map(({ turns }) => turns[0]?.text)).size).toBe(1085);
  });

  it('asks nothing that a built dataset contains, even for equal seeds', () => {
    for (const seed of [1, 7]) {
      const seen = new Set(training(5000, seed).map(({ turns }) => turns[0]?.text));
      expect(golden(1085, seed).filter(({ turns }) => seen.has(turns[0]?.text))).toEqual([]);
    }
  });

  it('asks with the system prompt of the training records', () => {
    expect(golden(8, 7)[0]?.system).toBe(training(8, 1)[0]?.system);
  });
});

describe('the held-out suite', () => {
  it('asks the questions of the validation split, without their answers', () => {
    const heldOut = training(50, 1);
    const cases = stylist.suite({ suite: 'held-out', samples: 20, seed: 1, heldOut });
    expect(cases).toHaveLength(20);
    for (const { id, turns, expected } of cases) {
      const record = heldOut.find((each) => each.id === id);
      expect(turns).toEqual(record?.turns.slice(0, 1));
      expect(expected).toEqual({ label: record?.label });
    }
  });
});

describe('the score', () => {
  const agreement = (records: readonly DatasetRecord[], answers: readonly string[]) => {
    const scores = records.map((record, index) => metricsOf(record.label ?? '', answers[index] ?? ''));
    return scores.reduce((sum, metrics) => sum + (metrics['verdict.agreement'] ?? 0), 0) / scores.length;
  };

  it('agrees wholly with answers of the phrase bank, and as often as chance when they are shuffled', () => {
    const records = training(900, 1);
    const answers = records.map(({ turns }) => turns.at(-1)?.text ?? '');
    const shuffled = createSeededRandom('shuffle').sample(answers, answers.length);
    expect(agreement(records, answers)).toBe(1);
    expect(agreement(records, shuffled)).toBeGreaterThan(0.28);
    expect(agreement(records, shuffled)).toBeLessThan(0.39);
  });

  it('gives a model that answers every question alike no more than chance', () => {
    const records = training(900, 2);
    const [same] = records.map(({ turns }) => turns.at(-1)?.text ?? '');
    expect(
      agreement(
        records,
        records.map(() => same ?? ''),
      ),
    ).toBeCloseTo(1 / 3, 2);
  });

  it('scores an answer that is not JSON as nothing, and says why', () => {
    const score = stylist.score(question('smart_pick'), 'Sure! Here it is: {}');
    expect(score.document).toBeNull();
    expect(score.formatFault).toMatch(/^not JSON: /);
    expect(score.metrics).toEqual({ 'fields.complete': 0, 'verdict.agreement': 0, 'headline.length.ok': 0 });
  });

  it.each([
    ['no segments', { headline: 'Fine', pinch: [] }],
    ['one segment', { headline: 'Fine', pinch: [{ text: 'A', style: 'positive' }] }],
    [
      'an unknown style',
      {
        headline: 'Fine',
        pinch: [
          { text: 'A', style: 'good' },
          { text: 'B', style: 'fix' },
        ],
      },
    ],
    [
      'no headline',
      {
        pinch: [
          { text: 'A', style: 'positive' },
          { text: 'B', style: 'fix' },
        ],
      },
    ],
  ])('counts %s as incomplete', (_, document) => {
    expect(metricsOf('smart_pick', JSON.stringify(document))['fields.complete']).toBe(0);
    expect(stylist.parseAnswer(JSON.stringify(document))).toHaveProperty('fault');
  });

  it('measures a headline of 80 characters as too long', () => {
    const pinch = [
      { text: 'A', style: 'positive' },
      { text: 'B', style: 'fix' },
    ];
    const fits = (length: number) =>
      metricsOf('smart_pick', JSON.stringify({ headline: 'x'.repeat(length), pinch }))['headline.length.ok'];
    expect([fits(79), fits(80)]).toEqual([1, 0]);
  });
});
