import { DIMENSIONS, similarity } from './answer-space.js';
import { shuffledIndices } from './random.js';

/** How strongly closeness of two answers counts as evidence that one could have been given for the other. */
export const ANSWER_SHARPNESS = 8;

const REFERENCES_MAX = 1_500;
const QUERIES_MAX = 3_000;
const BATCH = 48;
const DECAY = 0.001;
const STEP_MAX = 1.5;
const AFFINITY_RATE = 0.008;
const AFFINITY_MAX = 3;
const CLOSENESS_AT_START = 6;
const CLOSENESS_RATE = 0.3;
const CLOSENESS_MAX = 40;

/**
 * Which training rows a prompt is like, by two learned weights for each prompt feature. The first says which
 * rows could be the pattern of the whole answer, the second whose words fit within that pattern. A row's score is
 * the sum of the weights of the features that it shares with the prompt.
 */
export class Relevance {
  readonly weights: Float64Array;
  readonly affinityWeights: Float64Array;
  /** How much each direction of the answer space counts in the closeness of neighbours to the pattern. */
  readonly directionWeights: Float64Array;
  private readonly postings: Int32Array[];
  private readonly identifiers: Map<string, number>;

  constructor(
    readonly features: string[],
    readonly rows: number[][],
    stored?: {
      weights: ArrayLike<number>;
      affinityWeights: ArrayLike<number>;
      directionWeights: ArrayLike<number>;
    },
  ) {
    this.weights = stored ? Float64Array.from(stored.weights) : new Float64Array(features.length);
    this.affinityWeights = stored
      ? Float64Array.from(stored.affinityWeights)
      : new Float64Array(features.length);
    this.directionWeights = stored
      ? Float64Array.from(stored.directionWeights)
      : new Float64Array(DIMENSIONS).fill(CLOSENESS_AT_START);
    this.identifiers = new Map(features.map((name, index) => [name, index]));
    this.postings = invert(rows, features.length);
  }

  /** The known features among these names. */
  identify(names: Iterable<string>): number[] {
    const known: number[] = [];
    for (const name of names) {
      const identifier = this.identifiers.get(name);
      if (identifier !== undefined) known.push(identifier);
    }
    return known;
  }

  /** For every training row, the log of how likely it is the pattern for a prompt with these features. */
  scores(features: number[]): Float64Array {
    const scores = new Float64Array(this.rows.length);
    addScores(scores, this.postings, this.weights, features);
    return scores;
  }

  /** For every training row, how well its words fit a prompt with these features. */
  affinities(features: number[]): Float64Array {
    const scores = new Float64Array(this.rows.length);
    addScores(scores, this.postings, this.affinityWeights, features);
    return scores;
  }

  /** How close one row's answer is to the pattern's. */
  closeness(embedding: Float64Array, pattern: number, row: number): number {
    let sum = 0;
    for (let axis = 0; axis < DIMENSIONS; axis++) {
      const product =
        (embedding[pattern * DIMENSIONS + axis] as number) * (embedding[row * DIMENSIONS + axis] as number);
      sum += (this.directionWeights[axis] as number) * product;
    }
    return sum;
  }

  /** Moves what makes neighbours count, as the likelihood of one answer asks: shared features and closeness. */
  learnNeighbours(
    input: { features: number[]; pattern: number; neighbours: number[]; embedding: Float64Array },
    gradient: Float64Array,
    rate: number,
  ): void {
    const own = new Set(input.features);
    input.neighbours.forEach((row, index) => {
      const change = Math.max(-1, Math.min(1, gradient[index] as number));
      if (change === 0) return;
      for (const feature of this.rows[row] as number[]) {
        if (own.has(feature))
          moveWithin(this.affinityWeights, feature, AFFINITY_RATE * rate * change, AFFINITY_MAX);
      }
      for (let axis = 0; axis < DIMENSIONS; axis++) {
        const product =
          (input.embedding[input.pattern * DIMENSIONS + axis] as number) *
          (input.embedding[row * DIMENSIONS + axis] as number);
        moveWithin(this.directionWeights, axis, CLOSENESS_RATE * rate * change * product, CLOSENESS_MAX);
      }
    });
  }

  /**
   * One pass of stochastic gradient descent: raises the weights of features which, when shared, make answers
   * alike (the log likelihood of each row's answer under the mixture of the other rows).
   */
  trainEpoch(embedding: Float64Array, rate: number, random: () => number): void {
    const references = shuffledIndices(this.rows.length, REFERENCES_MAX, random);
    if (references.length < 3) return;
    const postings = invert(
      references.map((row) => this.rows[row] as number[]),
      this.features.length,
    );
    const density = measureDensity(embedding, references, random);
    const queries = shuffledIndices(this.rows.length, QUERIES_MAX, random);
    const gradient = new Float64Array(this.features.length);
    const visits = new Int32Array(this.features.length);
    queries.forEach((query, index) => {
      this.addGradient(query, references, postings, density, embedding, gradient, visits);
      if ((index + 1) % BATCH === 0 || index === queries.length - 1) this.step(gradient, visits, rate);
    });
  }

  private addGradient(
    query: number,
    references: number[],
    postings: Int32Array[],
    density: Float64Array,
    embedding: Float64Array,
    gradient: Float64Array,
    visits: Int32Array,
  ): void {
    const features = this.rows[query] as number[];
    const prior = new Float64Array(references.length);
    addScores(prior, postings, this.weights, features);
    const self = references.indexOf(query);
    if (self >= 0) prior[self] = Number.NEGATIVE_INFINITY;
    normalizeExponentials(prior);
    const difference = new Float64Array(references.length);
    let total = 0;
    for (let index = 0; index < references.length; index++) {
      const close = similarity(embedding, query, embedding, references[index] as number);
      const joint =
        ((prior[index] as number) * Math.exp(ANSWER_SHARPNESS * (close - 1))) / (density[index] as number);
      difference[index] = joint;
      total += joint;
    }
    for (let index = 0; index < references.length; index++) {
      difference[index] = (difference[index] as number) / (total || 1) - (prior[index] as number);
    }
    for (const feature of features) {
      const posting = postings[feature] as Int32Array;
      let sum = 0;
      for (let at = 0; at < posting.length; at++) sum += difference[posting[at] as number] as number;
      gradient[feature] = (gradient[feature] as number) + sum;
      visits[feature] = (visits[feature] as number) + 1;
    }
  }

  /** Rare features take small steps, for their gradient is mostly noise. */
  private step(gradient: Float64Array, visits: Int32Array, rate: number): void {
    for (let feature = 0; feature < gradient.length; feature++) {
      const seen = visits[feature] as number;
      if (seen === 0) continue;
      const weight = this.weights[feature] as number;
      const change = rate * ((gradient[feature] as number) / (seen + 8) - DECAY * weight);
      this.weights[feature] = weight + Math.max(-STEP_MAX, Math.min(STEP_MAX, change));
      gradient[feature] = 0;
      visits[feature] = 0;
    }
  }
}

/** Turns log weights into weights that sum to one, in place; all zero if none is finite. */
export function normalizeExponentials(values: Float64Array): void {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > highest) highest = value;
  if (highest === Number.NEGATIVE_INFINITY) {
    values.fill(0);
    return;
  }
  let total = 0;
  for (let index = 0; index < values.length; index++) {
    const weight = Math.exp((values[index] as number) - highest);
    values[index] = weight;
    total += weight;
  }
  for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) / total;
}

function addScores(
  scores: Float64Array,
  postings: Int32Array[],
  weights: Float64Array,
  features: number[],
): void {
  for (const feature of features) {
    const weight = weights[feature] as number;
    if (weight === 0) continue;
    const posting = postings[feature] as Int32Array;
    for (let at = 0; at < posting.length; at++) {
      const row = posting[at] as number;
      scores[row] = (scores[row] as number) + weight;
    }
  }
}

function invert(rows: number[][], featureCount: number): Int32Array[] {
  const counts = new Int32Array(featureCount);
  for (const row of rows) for (const feature of row) counts[feature] = (counts[feature] as number) + 1;
  const postings = Array.from(counts, (count) => new Int32Array(count));
  counts.fill(0);
  rows.forEach((row, index) => {
    for (const feature of row) {
      const at = counts[feature] as number;
      (postings[feature] as Int32Array)[at] = index;
      counts[feature] = at + 1;
    }
  });
  return postings;
}

/** How crowded the answer space is around each reference, so that each spreads the same probability. */
function measureDensity(embedding: Float64Array, references: number[], random: () => number): Float64Array {
  const sample = shuffledIndices(references.length, 300, random).map((index) => references[index] as number);
  return Float64Array.from(references, (row) => {
    let sum = 1e-9;
    for (const other of sample) {
      sum += Math.exp(ANSWER_SHARPNESS * (similarity(embedding, row, embedding, other) - 1));
    }
    return sum / sample.length;
  });
}

function moveWithin(weights: Float64Array, at: number, change: number, limit: number): void {
  weights[at] = Math.max(-limit, Math.min(limit, (weights[at] as number) + change));
}
