import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatasetRecord } from '../../src/domain/dataset.js';
import { stylist } from './stylist-recipe.js';

const build = (records: number, seed: number): DatasetRecord[] => [
  ...(stylist.builder?.build({ backend: 'phrase-bank', records, seed }) ?? []),
];
const verdicts = ['this_is_it', 'smart_pick', 'not_this_one'];
const answerOf = (record: DatasetRecord) => record.turns.at(-1)?.text ?? '';
const stylesOf = (record: DatasetRecord): string[] =>
  JSON.parse(answerOf(record)).pinch.map((segment: { style: string }) => segment.style);

describe('the phrase-bank builder', () => {
  it('makes exactly the records asked for, the same ones for the same seed, whatever count and seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 300 }), fc.nat(), (count, seed) => {
        const records = build(count, seed);
        expect(records).toHaveLength(count);
        expect(build(count, seed)).toEqual(records);
        expect(new Set(records.map(({ id }) => id)).size).toBe(count);
        expect(new Set(records.map(({ turns }) => turns[0]?.text)).size).toBe(count);
        for (const verdict of verdicts) {
          const share = records.filter(({ label }) => label === verdict).length / count;
          expect(share).toBeGreaterThanOrEqual(0.2);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('makes other records for another seed', () => {
    const prompts = new Set(build(300, 1).map(({ turns }) => turns[0]?.text));
    expect(build(300, 2).filter(({ turns }) => prompts.has(turns[0]?.text))).toEqual([]);
  });

  it('makes 20,000 different questions', () => {
    expect(new Set(build(20_000, 5).map(({ turns }) => turns[0]?.text)).size).toBe(20_000);
  });

  it('writes answers that parse, fit the format and break no rule, not even with a warning', () => {
    for (const record of build(1085, 1)) {
      const parsed = stylist.parseAnswer(answerOf(record));
      if ('fault' in parsed) throw new Error(`${record.id}: ${parsed.fault}`);
      const { violations, warnings } = stylist.checkAnswer(parsed.document, { label: record.label });
      expect([...violations, ...warnings], answerOf(record)).toEqual([]);
    }
  });

  it('lets the styles follow the verdict', () => {
    for (const record of build(1085, 3)) {
      const styles = new Set(stylesOf(record));
      if (record.label === 'this_is_it') {
        expect(styles.has('positive')).toBe(true);
        expect(styles.has('negative') || styles.has('fix')).toBe(false);
      } else if (record.label === 'smart_pick') {
        expect(styles.has('positive') && styles.has('fix')).toBe(true);
        expect(styles.has('negative')).toBe(false);
      } else {
        expect(styles.has('negative') && styles.has('fix')).toBe(true);
        expect(['normal', 'positive']).toContain(stylesOf(record)[0]);
      }
    }
  });

  it('states a verdict that follows from the score it states', () => {
    for (const { turns, label } of build(1085, 4)) {
      const score = Number(/^SCORE: ([\d.]+)\/10$/m.exec(turns[0]?.text ?? '')?.[1]);
      expect(label).toBe(score >= 8 ? 'this_is_it' : score >= 5 ? 'smart_pick' : 'not_this_one');
      expect(turns[0]?.text).toContain(`VERDICT: ${label}\n`);
    }
  });

  it('emits none of the words that Bedrock reserves, in any casing', () => {
    const reserved = /\b(user|bot|assistant|system|thought)[ \t]*:|<image>|<video>|\[EOS\]/i;
    for (const record of build(1085, 1)) {
      expect([record.system, ...record.turns.map(({ text }) => text)].join('\n')).not.toMatch(reserved);
    }
  });

  it('leaves no slot unfilled and puts the right article before a word', () => {
    const texts = build(1085, 6).map(answerOf).join('\n');
    expect(texts).not.toMatch(/[{]\w+[}]/);
    expect(texts).not.toMatch(/undefined|\ba [aeio]/i);
  });

  it('varies its headlines: none stands over more than 2 % of the records', () => {
    const counts = new Map<string, number>();
    for (const record of build(1085, 1)) {
      const { headline } = JSON.parse(answerOf(record));
      counts.set(headline, (counts.get(headline) ?? 0) + 1);
    }
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(1085 * 0.02);
  });

  it('groups records by body shape and garment style', () => {
    for (const record of build(60, 1)) {
      const prompt = record.turns[0]?.text ?? '';
      const line = (label: string) => new RegExp(`${label}: (.+)`).exec(prompt)?.[1] ?? '';
      const style = line('Style').replaceAll(' ', '_');
      expect(record.groupKey).toBe(`${line('Body shape')}/${line('Category')}/${style}`);
    }
  });

  it('refuses a backend that it does not have, and names those it has', () => {
    expect(() => stylist.builder?.build({ backend: 'teacher', records: 8, seed: 1 })).toThrow(
      /found "teacher"; allowed: phrase-bank/,
    );
  });
});
