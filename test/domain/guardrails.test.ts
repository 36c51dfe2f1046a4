import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDocument, textLimit } from '../../src/domain/guardrails/check-document.js';
import { parseRuleset } from '../../src/domain/guardrails/parse-ruleset.js';
import type { GuardrailResult } from '../../src/domain/guardrails/ruleset.js';
import type { JsonObject } from '../../src/domain/json.js';
import { rulesetData } from './ruleset-example.js';

const ruleset = parseRuleset(rulesetData, 'hash-1');
const check = (text: string) => checkDocument(ruleset, { headline: text }, {});
const blocked = (text: string) => check(text).violations.map((each) => each.ruleId);

describe('what a ruleset finds', () => {
  it.each([
    ["You're too wide for this coat", 'too wide'],
    ['you are so WIDE', 'wide'],
    ['Youre too flabby here', 'flabby'],
    ['You’re too wider than that', 'wider'],
    ['Your hips look really wide', 'wide'],
    ['your thighs are flabby today', 'flabby'],
  ])('finds "%s"', (text, part) => {
    const [violation] = check(text).violations;
    expect(violation?.text.toLowerCase()).toContain(part.toLowerCase());
  });

  it.each([
    'You are in very wide leg pants',
    'You are so wide leg trousers',
    'Your hips. Wide legs balance the look',
    'There are no problem areas here',
    'Size 0 to size 30, 5\'3" and up',
    'An A-line skirt in S, M, L or X L',
  ])('leaves "%s" alone', (text) => {
    expect(blocked(text)).toEqual([]);
  });

  it('does not take a garment in another phrase for the head noun', () => {
    expect(blocked('You are too wide in pants')).toEqual(['R1']);
    expect(blocked('You are too wide, pants would help')).toEqual(['R1']);
  });

  it.each([
    ['look-alike letters', 'you are too flаbby'],
    ['full-width letters', 'you are too ｗｉｄｅ'],
    ['invisible characters', 'you are too fl\u200babby'],
    ['a soft hyphen', 'you are too fla\u00adbby'],
    ['combining marks', 'you are too wíde'],
    ['leet spelling', 'you are too fl4bby'],
    ['leet with one for l', 'you are too f1@bby'],
    ['letters apart', 'you are too f l a b b y'],
    ['dots between letters', 'you are too f.l.a.b.b.y'],
    ['a dash inside', 'you are too fla-bby'],
    ['letters drawn out', 'you are too flaaaabby'],
  ])('sees through %s', (_name, text) => {
    const [violation] = check(text).violations;
    expect(violation?.ruleId).toBe('R1');
    expect(text.slice(...(violation?.span ?? [0, 0]))).toBe(violation?.text);
  });

  it('finds a phrase that is cut over two segments, and says where it goes on', () => {
    const result = checkDocument(ruleset, { pinch: [{ text: 'You are' }, { text: 'too wide.' }] }, {});
    expect(result.violations).toMatchObject([{ field: 'pinch[0].text', text: 'You are', span: [0, 7] }]);
    expect(result.violations[0]?.message).toContain('pinch[1].text');
  });

  it('reads text where a list stands in place of a text', () => {
    expect(checkDocument(ruleset, { headline: ['you are too wide'] }, {}).passed).toBe(false);
  });

  it('stamps the hash, and reports one place once', () => {
    const result = check('You are too wide. You are too flabby.');
    expect(result.violations.map((each) => each.rulesetHash)).toEqual(['hash-1', 'hash-1']);
  });

  it('keeps warnings and shadows apart from blocks', () => {
    const result = check('The algorithm may think this works');
    expect(result.passed).toBe(true);
    expect(result.warnings.map((each) => each.ruleId)).toEqual(['R7']);
    expect(result.shadows?.map((each) => each.ruleId)).toEqual(['R8']);
  });

  it('blocks what is too long to read', () => {
    expect(blocked('x '.repeat(textLimit))).toEqual(['F.limit']);
  });
});

describe('structural rules', () => {
  const verdict: JsonObject = { verdict: 'not_this_one' };

  it('demand a redirect only where the context says so', () => {
    expect(checkDocument(ruleset, { headline: 'Fine' }, verdict).violations).toMatchObject([
      { ruleId: 'R5' },
    ]);
    expect(checkDocument(ruleset, { headline: 'Fine', search_pills: [''] }, verdict).passed).toBe(true);
    expect(checkDocument(ruleset, { headline: 'Fine', search_pills: [] }, verdict).passed).toBe(false);
    expect(checkDocument(ruleset, { headline: 'Fine' }, { verdict: 'this_is_it' }).passed).toBe(true);
  });

  it('look at the first styled segment', () => {
    const pinch = (styles: string[]) => ({ pinch: styles.map((style) => ({ text: 'ok', style })) });
    const warnings = (styles: string[]) =>
      checkDocument(ruleset, { ...pinch(styles), search_context: 'coats' }, verdict).warnings.length;
    expect(warnings(['normal', 'negative', 'positive'])).toBe(1);
    expect(warnings(['normal', 'positive', 'negative'])).toBe(0);
    expect(warnings(['normal'])).toBe(0);
  });

  it('tell invisible characters from emoji', () => {
    expect(blocked('A fine coat\u200b')).toEqual(['F1']);
    expect(blocked('A fine coat ❤️ and 👩‍🎤')).toEqual([]);
  });
});

describe('loading a ruleset', () => {
  const load = (change: (data: typeof rulesetData) => void) => () => {
    const data = structuredClone(rulesetData);
    change(data);
    return parseRuleset(data, 'hash');
  };

  it('refuses a ruleset that fails its own examples, naming rule and example', () => {
    expect(load((data) => data.rules[0]?.examples.hit.push('A lovely coat' as never))).toThrow(
      'rules[0].examples.hit[2]: "A lovely coat" is not found by rule R1',
    );
    expect(load((data) => data.rules[0]?.examples.miss.push('You are too wide' as never))).toThrow(
      'rules[0].examples.miss[1]: "You are too wide" is found ("You are too wide") by rule R1',
    );
  });

  it('names the path of what is wrong', () => {
    expect(load((data) => Object.assign(data.rules[0] ?? {}, { match: ['you BODDY'] }))).toThrow(
      'rules[0].match[0]: "you BODDY" names the lexicon BODDY, which is not defined; defined are: BODY',
    );
    expect(load((data) => Object.assign(data.rules[0] ?? {}, { severity: 'LOUD' }))).toThrow(
      'rules[0].severity',
    );
    expect(load((data) => Object.assign(data.rules[0] ?? {}, { match: ['(a+)+b'] }))).toThrow(
      'allowed are words',
    );
    expect(load((data) => data.fields.push('pinch[0'))).toThrow('fields[2]');
    expect(() => parseRuleset(null, 'hash')).toThrow('(top level)');
  });
});

describe('for any text', () => {
  const all = (result: GuardrailResult) => [
    ...result.violations,
    ...result.warnings,
    ...(result.shadows ?? []),
  ];
  const words = fc.constantFrom(
    'you',
    'are',
    "you're",
    'too',
    'wide',
    'wíde',
    'fl4bby',
    'f l a b b y',
    '.',
    ',',
    '\u200b',
    'hips',
    'look',
    '🙂',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(words).map((parts) => parts.join(' ')),
  );

  it('the span is the exact substring of the field', () => {
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 4 }), (parts) => {
        const document = { pinch: parts.map((text) => ({ text })) };
        for (const violation of all(checkDocument(ruleset, document, {}))) {
          const index = Number(/\[(\d+)\]/.exec(violation.field)?.[1]);
          expect(parts[index]?.slice(...violation.span)).toBe(violation.text);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('innocent words around a hit do not hide it', () => {
    const filler = fc.stringMatching(/^[a-z]{0,6}( [a-z]{1,6}){0,5}$/);
    fc.assert(
      fc.property(filler, filler, (before, after) => {
        expect(blocked(`${before}. You are too wide. ${after}`)).toContain('R1');
      }),
    );
  });

  it('twice the text takes about twice the time', () => {
    const time = (repeats: number) => {
      const text = 'you are so so so very your hips look so '.repeat(repeats).slice(0, textLimit);
      const started = performance.now();
      for (let round = 0; round < 5; round++) check(text);
      return performance.now() - started;
    };
    time(100);
    expect(time(400)).toBeLessThan(12 * time(100) + 50);
  });
});
