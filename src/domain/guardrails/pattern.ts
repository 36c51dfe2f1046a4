import { type Token, wordsOf } from './tokens.js';

/** Word sequences by their first word: alternatives of a pattern's element, or a lexicon. */
export type PhraseSet = ReadonlyMap<string, readonly (readonly string[])[]>;

export type Lexicons = ReadonlyMap<string, PhraseSet>;

interface PhraseElement {
  readonly phrases: PhraseSet;
  readonly optional: boolean;
}

interface GapElement {
  readonly min: number;
  readonly max: number;
}

export interface CompiledPattern {
  readonly source: string;
  readonly elements: readonly (PhraseElement | GapElement)[];
  /** The words that a match can begin with. */
  readonly firstWords: ReadonlySet<string>;
}

/** What must stand near a match, or in it, to make it innocent. */
export interface ContextWindow {
  readonly kind: 'followedBy' | 'precededBy' | 'headNoun' | 'contains';
  readonly phrases: PhraseSet;
  readonly within: number;
}

/** Tokens `start` up to, not including, `end`. */
export interface TokenMatch {
  readonly start: number;
  readonly end: number;
}

const elementLimit = 24;
const gapLimit = 12;

/**
 * Reads a pattern: elements between spaces, alternatives between bars, lexicons in capitals, `?` after an
 * element that may be missing, `{0,2}` for up to two words of any kind. Throws with the offending part.
 */
export function compilePattern(source: string, lexicons: Lexicons): CompiledPattern {
  const parts = source.trim().split(/\s+/);
  if (parts.length > elementLimit)
    throw new Error(`has ${parts.length} elements; ${elementLimit} are allowed`);
  const elements = parts.map((part) => compileElement(part, lexicons));
  const isGap = (element: CompiledPattern['elements'][number] | undefined) => element && 'min' in element;
  if (isGap(elements[0]) || isGap(elements.at(-1))) {
    throw new Error('begins or ends with a gap; put words on both sides of it');
  }
  const firstWords = new Set<string>();
  for (const element of elements) {
    if (!('phrases' in element)) throw new Error('has nothing but optional words before a gap; require one');
    for (const word of element.phrases.keys()) firstWords.add(word);
    if (!element.optional) return { source, elements, firstWords };
  }
  throw new Error('has only optional words; require at least one');
}

/** Alternatives between bars; a dash inside one joins words, as in `plus-size`. */
export function compilePhrases(source: string, lexicons: Lexicons): PhraseSet {
  const phrases: (readonly string[])[] = [];
  for (const alternative of source.split('|')) {
    if (/^[A-Z][A-Z0-9_]*$/.test(alternative)) {
      const lexicon = lexicons.get(alternative);
      if (!lexicon) {
        const known = [...lexicons.keys()].join(', ') || 'none';
        throw new Error(`names the lexicon ${alternative}, which is not defined; defined are: ${known}`);
      }
      for (const entries of lexicon.values()) phrases.push(...entries);
      continue;
    }
    const words = wordsOf(alternative);
    if (words.length === 0)
      throw new Error(`has an empty alternative in "${source}"; remove the bar or add a word`);
    phrases.push(words);
  }
  return phraseSet(phrases);
}

export function phraseSet(phrases: Iterable<readonly string[]>): PhraseSet {
  const set = new Map<string, (readonly string[])[]>();
  for (const phrase of phrases) {
    const [first] = phrase;
    if (first === undefined) continue;
    const entries = set.get(first) ?? [];
    if (!entries.some((entry) => entry.join(' ') === phrase.join(' '))) entries.push(phrase);
    set.set(first, entries);
  }
  return set;
}

/**
 * Every place where the pattern matches and no window excuses it, leftmost and longest first, without
 * overlaps. Time is linear in the number of tokens: a match has bounded length and nothing backtracks.
 */
export function findMatches(
  tokens: readonly Token[],
  pattern: CompiledPattern,
  windows: readonly ContextWindow[],
): TokenMatch[] {
  const matches: TokenMatch[] = [];
  for (let start = 0; start < tokens.length; start++) {
    if (!pattern.firstWords.has(tokens[start]?.word ?? '')) continue;
    const ends = matchEnds(tokens, start, pattern).sort((a, b) => b - a);
    const end = ends.find((each) => !windows.some((window) => excuses(tokens, { start, end: each }, window)));
    if (end === undefined) continue;
    matches.push({ start, end });
    start = end - 1;
  }
  return matches;
}

function compileElement(part: string, lexicons: Lexicons): PhraseElement | GapElement {
  const gap = /^\{(\d+),(\d+)\}$/.exec(part);
  if (gap) {
    const [min, max] = [Number(gap[1]), Number(gap[2])];
    if (min > max || max > gapLimit)
      throw new Error(`has the gap ${part}; allowed are {0,1} to {0,${gapLimit}}`);
    return { min, max };
  }
  if (/[{}*+()[\]^$\\]/.test(part)) {
    throw new Error(`has "${part}"; allowed are words, LEXICONS, a|b, word? and gaps such as {0,2}`);
  }
  const optional = part.endsWith('?');
  return { phrases: compilePhrases(optional ? part.slice(0, -1) : part, lexicons), optional };
}

function matchEnds(tokens: readonly Token[], start: number, pattern: CompiledPattern): number[] {
  let positions = new Set([start]);
  for (const element of pattern.elements) {
    const next = new Set<number>();
    for (const position of positions) {
      if ('phrases' in element) {
        if (element.optional) next.add(position);
        for (const length of phraseLengths(tokens, position, element.phrases, start))
          next.add(position + length);
      } else {
        for (let length = 0; length <= element.max; length++) {
          if (length > 0 && !continues(tokens, position + length - 1, start)) break;
          if (length >= element.min) next.add(position + length);
        }
      }
    }
    if (next.size === 0) return [];
    positions = next;
  }
  return [...positions].filter((end) => end > start);
}

/** Lengths of the phrases that stand at `position`; none crosses the end of a sentence. */
function phraseLengths(
  tokens: readonly Token[],
  position: number,
  phrases: PhraseSet,
  start: number,
): number[] {
  const candidates = phrases.get(tokens[position]?.word ?? '');
  if (!candidates) return [];
  return candidates
    .filter((phrase) =>
      phrase.every(
        (word, index) =>
          tokens[position + index]?.word === word && continues(tokens, position + index, start),
      ),
    )
    .map((phrase) => phrase.length);
}

function continues(tokens: readonly Token[], position: number, start: number): boolean {
  const token = tokens[position];
  return token !== undefined && (position === start || token.breakBefore !== 'sentence');
}

function excuses(tokens: readonly Token[], match: TokenMatch, window: ContextWindow): boolean {
  const standsAt = (position: number) => phraseLengths(tokens, position, window.phrases, position);
  if (window.kind === 'contains') {
    return rangeSome(match.start, match.end, (at) => standsAt(at).some((length) => at + length <= match.end));
  }
  if (window.kind === 'precededBy') {
    const longest = Math.max(0, ...[...window.phrases.values()].flat().map((phrase) => phrase.length));
    return rangeSome(Math.max(0, match.start - window.within - longest + 1), match.start, (at) =>
      standsAt(at).some((length) => {
        const distance = match.start - (at + length);
        return distance >= 0 && distance < window.within && sameSentence(tokens, at, match.start);
      }),
    );
  }
  for (let at = match.end; at < Math.min(tokens.length, match.end + window.within); at++) {
    const token = tokens[at];
    if (!token || token.breakBefore === 'sentence') return false;
    if (window.kind === 'headNoun' && token.breakBefore !== 'none') return false;
    if (standsAt(at).length > 0) return true;
    if (window.kind === 'headNoun' && phraseBreaks.has(token.word)) return false;
  }
  return false;
}

function rangeSome(from: number, to: number, holds: (at: number) => boolean): boolean {
  for (let at = from; at < to; at++) if (holds(at)) return true;
  return false;
}

function sameSentence(tokens: readonly Token[], from: number, to: number): boolean {
  return !rangeSome(from + 1, to + 1, (at) => tokens[at]?.breakBefore === 'sentence');
}

/** English words that end a noun phrase: after one of them a noun is no longer the head of what came before. */
const phraseBreaks: ReadonlySet<string> = new Set(
  `a an the this that these those your his her their my our its for in on at to of with without by from into
   onto over under is are was were be been being am has have had do does did will would can could should may
   might must and or but so because when while if as than then you he she they we i it there not`.split(
    /\s+/,
  ),
);
