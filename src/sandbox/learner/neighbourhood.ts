import { BEGIN, type Corpus, UNKNOWN } from './corpus.js';
import type { History } from './history.js';

/**
 * Contexts in which a continuation was seen. Level 0 is none. Level 1: the last one or two symbols agree. Levels 2
 * to 5: so many of the last symbols agree (1, 3, 4, 6), and the bracket structure too. Levels 6 to 8: 3, 4 or 6 symbols agree and the
 * place in the structure too. Each chain is cumulative: a level holds all that the higher ones hold.
 */
export const LEVELS = 9;
export const NESTED_LEVEL = 2;
const DEEPEST_NESTED = 5;
const FIRST_PLACED = 6;
const CHOICE_SYMBOLS_MIN = 8;

/** What was written at another stage of an answer counts less, by this much for each element between. */
const DISTANCE_COST = 0.7;
const DISTANCE_MAX = 6;
const CONTEXT_MAX = 6;
const LEVEL_BY_MATCH = [0, 2, 2, 3, 4, 4, 5];

/**
 * Which of the two chains (nested, placed) see a single continuation; `conflict`: each its own; `choice`: neither,
 * and many symbols are possible, as where a new phrase begins.
 */
export const AGREEMENTS = ['none', 'choice', 'nested', 'placed', 'both', 'conflict'] as const;
type Agreement = (typeof AGREEMENTS)[number];

/** The highest level of each chain (0 if none), and what the rows there say. */
export interface Footing {
  nested: number;
  placed: number;
  agreement: Agreement;
  /** Whether more than two rows speak. */
  supported: boolean;
}

/** A few training rows, weighted, ready to be asked what comes next. One question at a time: answers are reused. */
export class Neighbourhood {
  /** Symbols seen to follow, and for each LEVELS weighted counts. */
  readonly symbols: number[] = [];
  readonly masses: Float64Array;
  readonly totals = new Float64Array(LEVELS);
  /** The part of the counts that would repeat a passage. */
  readonly repeatedMasses: Float64Array;
  readonly repeatedTotals = new Float64Array(LEVELS);
  footing: Footing = { nested: 0, placed: 0, agreement: 'none', supported: false };
  /** Candidate positions behind the counts, as indices into the arrays below. */
  readonly found: number[] = [];
  private readonly positions: Int32Array;
  private readonly owners: Int32Array;
  private readonly levels: Uint8Array;
  private readonly placedLevels: Uint8Array;
  private readonly factors: Float64Array;
  private readonly chain: Int32Array;
  private readonly pairChain: Int32Array;
  private readonly first: Int32Array;
  private readonly firstOfPair: Int32Array;
  private readonly slots = new Map<number, number>();

  constructor(
    private readonly corpus: Corpus,
    readonly rows: number[],
    readonly weights: number[],
  ) {
    const size = rows.reduce((sum, row) => sum + lengthOf(corpus, row), 0);
    this.positions = new Int32Array(size);
    this.owners = new Int32Array(size);
    this.levels = new Uint8Array(size);
    this.placedLevels = new Uint8Array(size);
    this.factors = new Float64Array(size);
    this.chain = new Int32Array(size);
    this.pairChain = new Int32Array(size);
    this.first = new Int32Array(corpus.vocabulary.length).fill(-1);
    this.firstOfPair = new Int32Array(corpus.pairCount).fill(-1);
    this.indexPositions();
    this.masses = new Float64Array(size * LEVELS);
    this.repeatedMasses = new Float64Array(size * LEVELS);
  }

  /** Gathers what followed contexts like this one; `usable` leaves out symbols that mean nothing here. */
  gather(history: History, repetition: number, usable: (symbol: number) => boolean): void {
    this.clear();
    const repeatFactor = Math.exp(repetition);
    const { start, chain } = this.followers(history);
    for (let index = start; index >= 0; index = chain[index] as number) {
      const position = this.positions[index] as number;
      if (!usable(this.corpus.symbols[position] as number)) continue;
      this.assignLevels(index, position, history);
      const repeated = history.hasSaid(this.corpus.passages[position] as number);
      const distance = Math.abs((this.corpus.progress[position] as number) - history.structure.progress);
      const factor =
        Math.exp(-DISTANCE_COST * Math.min(distance, DISTANCE_MAX)) * (repeated ? repeatFactor : 1);
      this.add(index, (this.weights[this.owners[index] as number] as number) * factor, repeated);
    }
    this.settle();
  }

  /** When no context is known: whatever stood in the same bracket structure. */
  gatherByStructure(history: History, usable: (symbol: number) => boolean): void {
    this.clear();
    for (let index = 0; index < this.positions.length; index++) {
      const position = this.positions[index] as number;
      if (this.corpus.nesting[position] !== history.structure.nesting) continue;
      if (!usable(this.corpus.symbols[position] as number)) continue;
      this.levels[index] = 1;
      this.placedLevels[index] = 0;
      this.add(index, this.weights[this.owners[index] as number] as number, false);
    }
    this.settle();
  }

  /** Where the counts of a symbol begin in `masses`, or -1 if it was not seen. */
  slotOf(symbol: number): number {
    return this.slots.get(symbol) ?? -1;
  }

  /**
   * Adds to `gradient` (one entry for each row) how the log of a mixture over levels changes with the log weight
   * of each row, when level l contributes `factors[l]` for the symbol itself and loses `losses[l]` for any.
   */
  addRowGradient(symbol: number, factors: Float64Array, losses: Float64Array, gradient: Float64Array): void {
    for (const index of this.found) {
      const isSymbol = this.corpus.symbols[this.positions[index] as number] === symbol;
      let sum = 0;
      for (let level = 1; level <= (this.levels[index] as number); level++) {
        sum += (isSymbol ? (factors[level] as number) : 0) - (losses[level] as number);
      }
      for (let level = FIRST_PLACED; level <= (this.placedLevels[index] as number); level++) {
        sum += (isSymbol ? (factors[level] as number) : 0) - (losses[level] as number);
      }
      const owner = this.owners[index] as number;
      gradient[owner] = (gradient[owner] as number) + sum * (this.factors[index] as number);
    }
  }

  private indexPositions(): void {
    const { symbols, starts, pairs } = this.corpus;
    let index = 0;
    this.rows.forEach((row, owner) => {
      const start = starts[row] as number;
      for (let position = start + 1; position <= start + lengthOf(this.corpus, row); position++, index++) {
        const before = symbols[position - 1] as number;
        const pair = pairs[position] as number;
        this.positions[index] = position;
        this.owners[index] = owner;
        this.chain[index] = this.first[before] as number;
        this.first[before] = index;
        if (pair < 0) continue;
        this.pairChain[index] = this.firstOfPair[pair] as number;
        this.firstOfPair[pair] = index;
      }
    });
  }

  /** What followed the last two symbols; only if nothing did, what followed the last one. */
  private followers({ symbols }: History): { start: number; chain: Int32Array } {
    const last = symbols[symbols.length - 1] as number;
    const pair =
      symbols.length < 2 ? -1 : this.corpus.identifyPair(symbols[symbols.length - 2] as number, last);
    const start = pair < 0 ? -1 : (this.firstOfPair[pair] as number);
    if (start >= 0) return { start, chain: this.pairChain };
    return { start: this.first[last] as number, chain: this.chain };
  }

  private clear(): void {
    this.masses.fill(0, 0, this.symbols.length * LEVELS);
    this.repeatedMasses.fill(0, 0, this.symbols.length * LEVELS);
    this.totals.fill(0);
    this.repeatedTotals.fill(0);
    this.symbols.length = 0;
    this.found.length = 0;
    this.slots.clear();
  }

  private assignLevels(index: number, position: number, history: History): void {
    const nested = this.corpus.nesting[position] === history.structure.nesting;
    this.placedLevels[index] = 0;
    if (!nested) {
      this.levels[index] = 1;
      return;
    }
    const matched = this.matchLength(position, history);
    this.levels[index] = LEVEL_BY_MATCH[matched] as number;
    if (matched >= 3 && this.corpus.place[position] === history.structure.place) {
      this.placedLevels[index] = (LEVEL_BY_MATCH[matched] as number) + 3;
    }
  }

  private matchLength(position: number, history: History): number {
    const { symbols } = this.corpus;
    const written = history.symbols;
    for (let matched = 1; matched < CONTEXT_MAX; matched++) {
      const ours = written[written.length - matched];
      if (ours === BEGIN) return CONTEXT_MAX;
      if (written[written.length - 1 - matched] !== symbols[position - 1 - matched]) return matched;
    }
    return CONTEXT_MAX;
  }

  private add(index: number, weight: number, repeated: boolean): void {
    const symbol = this.corpus.symbols[this.positions[index] as number] as number;
    let slot = this.slots.get(symbol);
    if (slot === undefined) {
      slot = this.symbols.length * LEVELS;
      this.slots.set(symbol, slot);
      this.symbols.push(symbol);
    }
    this.found.push(index);
    this.factors[index] = weight;
    const level = this.levels[index] as number;
    const placed = this.placedLevels[index] as number;
    increase(this.masses, slot + level, weight);
    if (placed > 0) increase(this.masses, slot + placed, weight);
    if (!repeated) return;
    increase(this.repeatedMasses, slot + level, weight);
    if (placed > 0) increase(this.repeatedMasses, slot + placed, weight);
  }

  private settle(): void {
    for (let slot = 0; slot < this.symbols.length * LEVELS; slot += LEVELS) {
      accumulate(this.masses, slot, this.totals);
      accumulate(this.repeatedMasses, slot, this.repeatedTotals);
    }
    const highest = (from: number, to: number) => {
      for (let level = from; level >= to; level--) if ((this.totals[level] as number) > 0) return level;
      return 0;
    };
    const nested = highest(DEEPEST_NESTED, 1);
    const placed = highest(LEVELS - 1, FIRST_PLACED);
    const nestedVoice = this.listen(this.levels, nested);
    const placedVoice = placed === 0 ? nestedVoice : this.listen(this.placedLevels, placed);
    const compared = compareVoices(nestedVoice.symbol, placedVoice.symbol);
    const agreement = compared === 'none' && this.symbols.length >= CHOICE_SYMBOLS_MIN ? 'choice' : compared;
    this.footing = { nested, placed, agreement, supported: placedVoice.rows > 2 };
  }

  /** How many rows stand on a level, and the symbol that all of them say (-1 if they differ). */
  private listen(levels: Uint8Array, level: number): { rows: number; symbol: number } {
    let owner = -1;
    let rows = 0;
    let symbol = UNKNOWN;
    for (const index of this.found) {
      if ((levels[index] as number) < level) continue;
      const said = this.corpus.symbols[this.positions[index] as number] as number;
      if (rows > 0 && said !== symbol) symbol = -1;
      else if (rows === 0) symbol = said;
      // A row's positions come one after the other.
      if (this.owners[index] !== owner) rows++;
      owner = this.owners[index] as number;
    }
    return { rows, symbol };
  }
}

function compareVoices(nested: number, placed: number): Agreement {
  if (nested < 0) return placed < 0 ? 'none' : 'placed';
  if (placed < 0) return 'nested';
  return nested === placed ? 'both' : 'conflict';
}

function lengthOf(corpus: Corpus, row: number): number {
  return (corpus.starts[row + 1] as number) - (corpus.starts[row] as number) - 1;
}

function increase(list: Float64Array, at: number, by: number): void {
  list[at] = (list[at] as number) + by;
}

function accumulate(list: Float64Array, slot: number, totals: Float64Array): void {
  for (let level = LEVELS - 1; level >= 1; level--) {
    const cumulative = level !== DEEPEST_NESTED && level !== LEVELS - 1;
    if (cumulative) increase(list, slot + level, list[slot + level + 1] as number);
    increase(totals, level, list[slot + level] as number);
  }
}
