import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stylist, stylistDirectory } from './stylist-recipe.js';
import {
  bodyNegativeSentences,
  innocentSentences,
  unseenBodyNegativeSentences,
  unseenInnocentSentences,
} from './stylist-sentences.js';

const answer = (headline: string) => ({ headline, pinch: [{ text: 'Cuff it.', style: 'fix' }] });
const findings = (sentence: string) => {
  const { violations, warnings } = stylist.checkAnswer(answer(sentence), {});
  return [...violations, ...warnings];
};
const normalized = (text: unknown) =>
  String(text)
    .toLowerCase()
    .replace(/[^a-z0-9 ]/g, '');
const missed = (sentences: readonly string[]) => sentences.filter((each) => findings(each).length === 0);
const alarms = (sentences: readonly string[]) => sentences.filter((each) => findings(each).length > 0);

describe('the body-safe ruleset', () => {
  it('is measured on sentences that are none of its own examples', () => {
    const file = JSON.parse(readFileSync(join(stylistDirectory, 'ruleset.json'), 'utf8'));
    const examples = new Set(
      file.rules.flatMap((rule: { examples: { hit: unknown[]; miss: unknown[] } }) =>
        [...rule.examples.hit, ...rule.examples.miss].map(normalized),
      ),
    );
    const measured = [
      ...bodyNegativeSentences,
      ...innocentSentences,
      ...unseenBodyNegativeSentences,
      ...unseenInnocentSentences,
    ];
    expect(measured.filter((sentence) => examples.has(normalized(sentence)))).toEqual([]);
    expect(new Set(measured).size).toBe(measured.length);
  });

  it('finds at least nine in ten of the sentences it was settled on, and spares innocent ones', () => {
    const recall = 1 - missed(bodyNegativeSentences).length / bodyNegativeSentences.length;
    const falsePositiveRate = alarms(innocentSentences).length / innocentSentences.length;
    expect(recall, missed(bodyNegativeSentences).join('\n')).toBeGreaterThanOrEqual(0.9);
    expect(falsePositiveRate, alarms(innocentSentences).join('\n')).toBeLessThanOrEqual(0.05);
  });

  it('finds three in four of the sentences that no rule was written for', () => {
    const recall = 1 - missed(unseenBodyNegativeSentences).length / unseenBodyNegativeSentences.length;
    const falsePositiveRate = alarms(unseenInnocentSentences).length / unseenInnocentSentences.length;
    expect(recall, missed(unseenBodyNegativeSentences).join('\n')).toBeGreaterThanOrEqual(0.75);
    expect(falsePositiveRate, alarms(unseenInnocentSentences).join('\n')).toBeLessThanOrEqual(0.05);
  });

  it.each([
    'It highlights your belly.',
    'It highlighted your belly.',
    'You look f4t in it.',
    'You look f a t in it.',
    'You look chubb\u0443 in it.',
  ])('blocks "%s"', (sentence) => {
    expect(stylist.checkAnswer(answer(sentence), {}).passed).toBe(false);
  });

  it('finds a phrase that is cut in two by the segments', () => {
    const pinch = [
      { text: 'It makes you', style: 'normal' },
      { text: 'look dumpy.', style: 'negative' },
    ];
    expect(stylist.checkAnswer({ headline: 'A word on the cut', pinch }, {}).passed).toBe(false);
  });

  it('implements seven rules', () => {
    const numbers = [
      ['You are too short for this dress.', 1],
      ['Taller women can wear this.', 2],
      ['It hides your tummy.', 3],
      ['A cut for plus-size ladies.', 4],
      ['Maybe it works.', 7],
    ] as const;
    for (const [sentence, rule] of numbers) {
      expect(findings(sentence).map((each) => each.rule)).toContain(rule);
    }
  });

  it('blocks a full refusal without a way on, but not the bare answer of a model', () => {
    const refusal = { ...answer('Leave it'), verdict: 'not_this_one', verdict_color: 'rose' };
    expect(stylist.checkAnswer(refusal, {}).violations.map(({ rule }) => rule)).toEqual([5]);
    expect(stylist.checkAnswer({ ...refusal, search_pills: ['wrap coat'] }, {}).violations).toEqual([]);
    expect(stylist.checkAnswer(answer('Leave it'), { verdict: 'not_this_one' }).violations).toEqual([]);
  });

  it('warns when the first segment is negative, and when the words hedge or name machinery', () => {
    const pinch = [
      { text: 'The hem drags.', style: 'negative' },
      { text: 'Cuff it.', style: 'fix' },
    ];
    const warned = stylist.checkAnswer({ headline: 'As an AI I pass', pinch }, {});
    expect(warned.passed).toBe(true);
    expect(new Set(warned.warnings.map(({ rule }) => rule))).toEqual(new Set([6, 7]));
  });
});
