import { AGREEMENTS, type Footing, LEVELS, NESTED_LEVEL, type Neighbourhood } from './neighbourhood.js';

const FOOTINGS = 6 * 4 * AGREEMENTS.length * 2;

/** Learned parameters: how much each level of context counts, by the footing that the evidence stands on. */
export class BackOff {
  readonly logits: Float64Array;
  /** Log factor for a continuation that repeats a passage of the same answer. */
  repetition: number;

  constructor(stored?: { logits: ArrayLike<number>; repetition: number }) {
    this.logits = stored ? Float64Array.from(stored.logits) : initialLogits();
    this.repetition = stored?.repetition ?? 0;
  }

  /** The probability of a symbol, mixed over the levels; `unigram` is its probability without any context. */
  probabilityOf(symbol: number, evidence: Neighbourhood, unigram: number): number {
    const shares = this.shares(evidence.footing);
    const slot = evidence.slotOf(symbol);
    let probability = (shares[0] as number) * unigram;
    if (slot < 0) return probability;
    for (let level = 1; level < LEVELS; level++) {
      if (shares[level] === 0) continue;
      probability +=
        ((shares[level] as number) * (evidence.masses[slot + level] as number)) /
        (evidence.totals[level] as number);
    }
    return probability;
  }

  /**
   * One gradient step towards a higher probability of `symbol`. Adds to `rowGradient` what that asks of the
   * weights of the neighbours.
   */
  learn(
    symbol: number,
    evidence: Neighbourhood,
    unigram: number,
    rate: number,
    rowGradient: Float64Array,
  ): void {
    const probability = this.probabilityOf(symbol, evidence, unigram);
    const shares = this.shares(evidence.footing);
    const offset = offsetOf(evidence.footing);
    const slot = evidence.slotOf(symbol);
    const factors = new Float64Array(LEVELS);
    const losses = new Float64Array(LEVELS);
    let repetitionGradient = 0;
    for (let level = 0; level < LEVELS; level++) {
      const share = shares[level] as number;
      if (share === 0) continue;
      const total = evidence.totals[level] as number;
      const mass = slot < 0 ? 0 : (evidence.masses[slot + level] as number);
      const levelProbability = level === 0 ? unigram : mass / total;
      const at = offset + level;
      this.logits[at] = (this.logits[at] as number) + rate * share * (levelProbability / probability - 1);
      if (level === 0) continue;
      factors[level] = share / total / probability;
      losses[level] = (factors[level] as number) * levelProbability;
      const repeated = slot < 0 ? 0 : (evidence.repeatedMasses[slot + level] as number);
      repetitionGradient +=
        (factors[level] as number) *
        (repeated - levelProbability * (evidence.repeatedTotals[level] as number));
    }
    evidence.addRowGradient(symbol, factors, losses, rowGradient);
    this.repetition = Math.max(-6, Math.min(1, this.repetition + rate * repetitionGradient));
  }

  /**
   * Candidates with their probabilities, without those that would leave a bracket structure known from training.
   * A low temperature trusts the best contexts more; it does not prefer common words.
   */
  candidates(evidence: Neighbourhood, temperature: number): { symbols: number[]; probabilities: number[] } {
    const shares = this.shares(evidence.footing, temperature);
    const lowest = evidence.footing.nested >= NESTED_LEVEL ? NESTED_LEVEL : 1;
    const probabilities = evidence.symbols.map((_, index) => {
      let probability = 0;
      for (let level = lowest; level < LEVELS; level++) {
        if (shares[level] === 0) continue;
        const mass = evidence.masses[index * LEVELS + level] as number;
        probability += ((shares[level] as number) * mass) / (evidence.totals[level] as number);
      }
      return probability;
    });
    return { symbols: evidence.symbols, probabilities };
  }

  private shares(footing: Footing, temperature = 1): Float64Array {
    const offset = offsetOf(footing);
    const shares = new Float64Array(LEVELS);
    let total = 0;
    for (let level = 0; level < LEVELS; level++) {
      if (level > footing.nested && (level < 6 || level > footing.placed)) continue;
      const weight = Math.exp((this.logits[offset + level] as number) / temperature);
      shares[level] = weight;
      total += weight;
    }
    for (let level = 0; level < LEVELS; level++) shares[level] = (shares[level] as number) / total;
    return shares;
  }
}

function offsetOf({ nested, placed, agreement, supported }: Footing): number {
  const levels = nested * 4 + (placed === 0 ? 0 : placed - 5);
  return ((levels * AGREEMENTS.length + AGREEMENTS.indexOf(agreement)) * 2 + Number(supported)) * LEVELS;
}

function initialLogits(): Float64Array {
  return Float64Array.from({ length: FOOTINGS * LEVELS }, (_, index) => (index % LEVELS) * 0.5);
}
