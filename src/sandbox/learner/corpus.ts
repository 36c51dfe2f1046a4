import { isPointer } from './copying.js';
import { extendHash } from './random.js';
import { StructureTracker } from './structure.js';
import { isWord } from './tokens.js';

/** Symbol identifiers with a fixed meaning. */
export const BEGIN = 0;
export const END = 1;
export const UNKNOWN = 2;

/** How many symbols in a row must recur for a passage to count as said before. */
export const PASSAGE = 4;

/** All encoded training answers in one array, each framed by BEGIN and END. */
export class Corpus {
  readonly symbols: Int32Array;
  /** Where each row begins; one more entry marks the end. */
  readonly starts: Int32Array;
  /** Bracket structure before each position. */
  readonly nesting: Uint32Array;
  readonly place: Uint32Array;
  readonly progress: Int32Array;
  /** A hash of the passage that begins at each position; 0 for short rests and for passages most answers share. */
  readonly passages: Uint32Array;
  /** The most elements that any answer has at each depth of brackets. */
  readonly elementsMax: number[] = [];
  /** A number for the two symbols before each position. */
  readonly pairs: Int32Array;
  pairCount = 0;
  /** 1 for symbols that copy from the prompt. */
  readonly pointers: Uint8Array;
  /** Probability of each symbol whatever went before. */
  readonly unigrams: Float64Array;
  private readonly identifiers: Map<string, number>;
  private readonly pairIdentifiers = new Map<number, number>();

  constructor(
    readonly vocabulary: string[],
    readonly rows: number[][],
  ) {
    this.identifiers = new Map(vocabulary.map((symbol, index) => [symbol, index]));
    this.pointers = Uint8Array.from(vocabulary, (symbol) => Number(isPointer(symbol)));
    this.starts = new Int32Array(rows.length + 1);
    rows.forEach((row, index) => {
      this.starts[index + 1] = (this.starts[index] as number) + row.length + 2;
    });
    const length = this.starts[rows.length] as number;
    this.symbols = new Int32Array(length);
    this.nesting = new Uint32Array(length);
    this.place = new Uint32Array(length);
    this.progress = new Int32Array(length);
    this.passages = new Uint32Array(length);
    this.pairs = new Int32Array(length);
    for (const row of rows) this.measureElements(row);
    rows.forEach((row, index) => {
      this.fillRow(row, this.starts[index] as number);
    });
    this.forgetCommonPassages();
    this.unigrams = this.countUnigrams();
  }

  identify(symbol: string): number {
    return this.identifiers.get(symbol) ?? UNKNOWN;
  }

  /** The number of two symbols in a row, or -1 if no answer has them. */
  identifyPair(first: number, second: number): number {
    return this.pairIdentifiers.get(first * this.vocabulary.length + second) ?? -1;
  }

  private measureElements(row: number[]): void {
    const tracker = new StructureTracker(this.elementsMax);
    for (const symbol of row) {
      const text = this.vocabulary[symbol] ?? '';
      if (isWord(text) || isPointer(text)) continue;
      tracker.add(text);
      tracker.elementCounts().forEach((count, depth) => {
        this.elementsMax[depth] = Math.max(this.elementsMax[depth] ?? 0, count);
      });
    }
  }

  private fillRow(row: number[], start: number): void {
    const tracker = new StructureTracker(this.elementsMax);
    this.symbols.set([BEGIN, ...row, END], start);
    for (let index = 0; index <= row.length; index++) {
      const position = start + 1 + index;
      const { nesting, place, progress } = tracker.current();
      this.pairs[position] = index === 0 ? -1 : this.registerPair(position - 2);
      this.nesting[position] = nesting;
      this.place[position] = place;
      this.progress[position] = progress;
      if (index + PASSAGE <= row.length) this.passages[position] = hashPassage(row, index);
      const text = this.vocabulary[row[index] ?? END] ?? '';
      if (!isWord(text) && !isPointer(text)) tracker.add(text);
    }
  }

  private registerPair(position: number): number {
    const key =
      (this.symbols[position] as number) * this.vocabulary.length + (this.symbols[position + 1] as number);
    const known = this.pairIdentifiers.get(key);
    if (known !== undefined) return known;
    this.pairIdentifiers.set(key, this.pairCount);
    return this.pairCount++;
  }

  private forgetCommonPassages(): void {
    const counts = new Map<number, number>();
    for (const passage of this.passages) counts.set(passage, (counts.get(passage) ?? 0) + 1);
    const commonest = Math.max(2, this.rows.length * 0.2);
    for (let position = 0; position < this.passages.length; position++) {
      const count = counts.get(this.passages[position] as number) ?? 0;
      if (count > commonest) this.passages[position] = 0;
    }
  }

  private countUnigrams(): Float64Array {
    const counts = new Float64Array(this.vocabulary.length).fill(0.2);
    for (const symbol of this.symbols) if (symbol !== BEGIN) counts[symbol] = (counts[symbol] as number) + 1;
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => count / total);
  }
}

/** The hash of the passage that begins at `start` of a list of symbols. */
export function hashPassage(symbols: ArrayLike<number>, start: number): number {
  let hash = 17;
  for (let offset = 0; offset < PASSAGE; offset++) hash = extendHash(hash, symbols[start + offset] ?? 0);
  return hash === 0 ? 1 : hash;
}
