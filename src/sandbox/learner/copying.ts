import type { Prompt } from './prompt.js';
import { isWord, tokenize } from './tokens.js';

/**
 * Copying from the prompt. In an encoded answer, words that came from the prompt are replaced by a pointer to
 * their place (`the value of the line "garment"`, `the third number`), which another prompt resolves to its own.
 */
const POINTER = '\u0000';
const SEPARATOR = '\u0001';
const NUMBERS_MAX = 24;
const CHUNKS_MAX = 8;
const REFERENCES_MAX = 12;

type Letters = 'same' | 'lower' | 'sentence';

/** Which words of answers owe their presence to the prompt. */
export interface CopyLexicon {
  isCopied(word: string): boolean;
}

/** Learns it by comparing how often a word is in the prompt when it is in the answer with how often it is there at all. */
export function learnCopyLexicon(rows: { promptWords: ReadonlySet<string>; answer: string }[]): CopyLexicon {
  const inPrompt = new Map<string, number>();
  const inAnswer = new Map<string, number>();
  const inBoth = new Map<string, number>();
  const count = (counts: Map<string, number>, word: string) => counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const { promptWords, answer } of rows) {
    for (const word of promptWords) count(inPrompt, word);
    for (const word of wordsOf(answer)) {
      count(inAnswer, word);
      if (promptWords.has(word)) count(inBoth, word);
    }
  }
  return {
    isCopied(word) {
      const answers = inAnswer.get(word);
      if (answers === undefined) return true;
      const share = (inBoth.get(word) ?? 0) / answers;
      const expected = (inPrompt.get(word) ?? 0) / rows.length;
      return share >= 0.8 && share >= 1.5 * expected;
    },
  };
}

/** Encodes an answer as literal tokens and pointers into its prompt. */
export function encodeAnswer(answer: string, prompt: Prompt, lexicon: CopyLexicon): string[] {
  const tokens = tokenize(answer);
  const places = listPlaces(prompt);
  const references: string[] = [];
  const encoded: string[] = [];
  for (let start = 0; start < tokens.length; ) {
    const found = findPointer(tokens, start, places, references, lexicon);
    encoded.push(found ? found.symbol : (tokens[start] ?? ''));
    start += found ? found.length : 1;
  }
  return encoded;
}

/** Resolves pointers against one prompt, remembering what the answer copied so far. */
export class PointerResolver {
  private readonly copied: string[] = [];
  private readonly resolved = new Map<string, string | null>();

  constructor(private readonly prompt: Prompt) {}

  /** The text of a symbol here, or null when it points to something that this prompt does not have. */
  textOf(symbol: string): string | null {
    if (!symbol.startsWith(POINTER)) return symbol;
    const [space = '', letters = 'same', kind = '', address = '', part = ''] = symbol
      .slice(1)
      .split(SEPARATOR);
    if (kind === 'again') {
      const text = this.copied[Number(address)];
      return text === undefined ? null : space + text;
    }
    const cached = this.resolved.get(symbol);
    if (cached !== undefined) return cached;
    const words = takePart(this.wordsAt(kind, address), part);
    const text = words ? space + changeLetters(words.join(' '), letters as Letters) : null;
    this.resolved.set(symbol, text);
    return text;
  }

  /** Records that a symbol became part of the answer. */
  accept(symbol: string): void {
    if (!symbol.startsWith(POINTER)) return;
    const text = this.textOf(symbol)?.trim();
    const kind = symbol.slice(1).split(SEPARATOR)[2];
    if (text && (kind === 'number' || kind === 'chunk') && !this.copied.includes(text))
      this.copied.push(text);
  }

  private wordsAt(kind: string, address: string): string[] | undefined {
    if (kind === 'field') return this.prompt.fields.get(address);
    if (kind === 'chunk') return this.prompt.chunks[Number(address)];
    const number = this.prompt.numbers[Number(address)];
    return number === undefined ? undefined : [number];
  }
}

/** Whether a symbol copies from the prompt. */
export function isPointer(symbol: string): boolean {
  return symbol.startsWith(POINTER);
}

interface Place {
  kind: 'field' | 'number' | 'chunk';
  address: string;
  words: string[];
}

function listPlaces(prompt: Prompt): Place[] {
  const places: Place[] = [...prompt.fields].map(([address, words]) => ({ kind: 'field', address, words }));
  prompt.chunks.slice(0, CHUNKS_MAX).forEach((words, index) => {
    places.push({ kind: 'chunk', address: String(index), words });
  });
  prompt.numbers.slice(0, NUMBERS_MAX).forEach((number, index) => {
    places.push({ kind: 'number', address: String(index), words: [number] });
  });
  return places;
}

function findPointer(
  tokens: string[],
  start: number,
  places: Place[],
  references: string[],
  lexicon: CopyLexicon,
): { symbol: string; length: number } | null {
  const first = tokens[start] ?? '';
  if (!isWord(first)) return null;
  const space = first.startsWith(' ') ? ' ' : '';
  const longest = Math.min(6, tokens.length - start);
  for (let length = longest; length > 0; length--) {
    const span = tokens.slice(start, start + length);
    const words = span.map((token) => token.trim());
    if (!isCopiedSpan(span, words, lexicon)) continue;
    const text = words.join(' ');
    const again = references.indexOf(text);
    if (again >= 0 && again < REFERENCES_MAX) {
      return { symbol: pointerSymbol(space, 'same', 'again', String(again)), length };
    }
    for (const place of places) {
      const match = matchPlace(words, place);
      if (!match) continue;
      if (place.kind !== 'field') references.push(text);
      return { symbol: pointerSymbol(space, match.letters, place.kind, place.address, match.part), length };
    }
  }
  return null;
}

function isCopiedSpan(span: string[], words: string[], lexicon: CopyLexicon): boolean {
  const joined = span.every((token, index) => isWord(token) && (index === 0 || token.startsWith(' ')));
  return joined && words.some((word) => lexicon.isCopied(word.toLowerCase()));
}

function matchPlace(words: string[], place: Place): { letters: Letters; part: string } | null {
  const text = words.join(' ');
  for (const part of partsOf(place.words.length, words.length)) {
    const taken = takePart(place.words, part)?.join(' ') ?? '';
    for (const letters of ['same', 'lower', 'sentence'] as const) {
      if (changeLetters(taken, letters) === text) return { letters, part };
    }
  }
  return null;
}

/** Names for each run of `length` words in `total`: all, the first, the last, or so many before the end. */
function partsOf(total: number, length: number): string[] {
  if (length > total) return [];
  if (length === total) return ['all'];
  const inner = Array.from({ length: total - length - 1 }, (_, index) => `before${index + 1} ${length}`);
  return [`last ${length}`, `first ${length}`, ...inner];
}

function takePart(words: string[] | undefined, part: string): string[] | null {
  if (!words || words.length === 0) return null;
  if (part === 'all' || part === '') return words;
  const [side = '', size = '1'] = part.split(' ');
  const length = Number(size);
  const start = side === 'first' ? 0 : words.length - length - Number(side.slice('before'.length) || 0);
  return start < 0 || length > words.length ? null : words.slice(start, start + length);
}

function changeLetters(text: string, letters: Letters): string {
  if (letters === 'same') return text;
  const lower = text.toLowerCase();
  return letters === 'lower' ? lower : lower.charAt(0).toUpperCase() + lower.slice(1);
}

function pointerSymbol(space: string, letters: Letters, kind: string, address: string, part = ''): string {
  return POINTER + [space, letters, kind, address, part].join(SEPARATOR);
}

function wordsOf(text: string): Set<string> {
  return new Set(
    tokenize(text)
      .filter((token) => isWord(token))
      .map((token) => token.trim().toLowerCase()),
  );
}
