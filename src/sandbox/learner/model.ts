import { similarity } from './answer-space.js';
import type { BackOff } from './back-off.js';
import { PointerResolver } from './copying.js';
import { type Corpus, END, UNKNOWN } from './corpus.js';
import { History } from './history.js';
import { NESTED_LEVEL, Neighbourhood } from './neighbourhood.js';
import { type Prompt, readPrompt } from './prompt.js';
import { createRandom, drawIndex } from './random.js';
import { ANSWER_SHARPNESS, normalizeExponentials, type Relevance } from './relevance.js';
import { tokenize } from './tokens.js';

/** Everything the learner knows after training. */
export interface Knowledge {
  corpus: Corpus;
  relevance: Relevance;
  embedding: Float64Array;
  backOff: BackOff;
  commonWords: Set<string>;
}

const NEIGHBOURS_MAX = 96;
const TEMPERATURE_MIN = 0.2;
const LOSS_PATTERNS = 3;

/** Continuations less probable than this share of the best are noise of the back-off and never written. */
const PROBABILITY_FLOOR = 0.1;

/** The same for patterns, by likeness of prompts alone: wrong answers to prompts like this one all stay. */
const PATTERN_FLOOR = 0.01;

/** Writes an answer: draws one training row by its relevance as the pattern, then continues like its neighbours. */
export function generateAnswer(
  knowledge: Knowledge,
  input: { system: string | null; prompt: string; temperature: number; maxTokens: number; seed: number },
): { tokens: string[]; complete: boolean } {
  const { corpus, relevance, backOff } = knowledge;
  const random = createRandom(input.seed);
  const prompt = readPrompt(input.system, input.prompt, knowledge.commonWords);
  const features = relevance.identify(prompt.features);
  const sharpness = Math.max(TEMPERATURE_MIN, input.temperature);
  const pattern = drawPattern(relevance.scores(features), input.temperature, random);
  const neighbourhood = gatherNeighbours(knowledge, pattern, relevance.affinities(features), -1, sharpness);
  const resolver = new PointerResolver(prompt);
  const usable = usableSymbols(corpus, resolver);
  const history = new History(corpus.elementsMax);
  const tokens: string[] = [];
  while (tokens.length < input.maxTokens) {
    neighbourhood.gather(history, backOff.repetition, usable);
    if (neighbourhood.footing.nested < NESTED_LEVEL) neighbourhood.gatherByStructure(history, usable);
    if (neighbourhood.symbols.length === 0) neighbourhood.gather(history, backOff.repetition, usable);
    const options = backOff.candidates(neighbourhood, sharpness);
    const symbol = options.symbols[drawOption(options.probabilities, input.temperature, random)] ?? END;
    if (symbol === END) return { tokens, complete: true };
    const name = corpus.vocabulary[symbol] as string;
    tokens.push(...tokenize(resolver.textOf(name) ?? ''));
    resolver.accept(name);
    history.append(symbol, name);
  }
  return { tokens: tokens.slice(0, input.maxTokens), complete: false };
}

/** A known answer to be learned from or judged by; `self` is its row, -1 if it is not among the training rows. */
export interface KnownAnswer {
  prompt: Prompt;
  features: number[];
  symbols: number[];
  self: number;
  /** Its place in the answer space. */
  location: Float64Array;
}

/**
 * Negative log likelihood per symbol, leave-one-out for a training row. The sum over all patterns is bounded from
 * above by those that explain the answer (the variational bound), measured at even steps of their probability.
 */
export function answerLoss(knowledge: Knowledge, row: KnownAnswer): number {
  const scores = knowledge.relevance.scores(row.features);
  const affinities = knowledge.relevance.affinities(row.features);
  const explaining = explanations(knowledge, row, scores, 2 * ANSWER_SHARPNESS);
  if (row.self >= 0) scores[row.self] = Number.NEGATIVE_INFINITY;
  normalizeExponentials(scores);
  let sum = divergence(explaining, scores);
  for (const pattern of spreadPatterns(knowledge, row, explaining)) {
    const neighbourhood = gatherNeighbours(knowledge, pattern, affinities, row.self);
    walkAnswer(knowledge, neighbourhood, row, (symbol) => {
      const unigram = knowledge.corpus.unigrams[symbol] as number;
      sum -= Math.log(knowledge.backOff.probabilityOf(symbol, neighbourhood, unigram)) / LOSS_PATTERNS;
    });
  }
  return sum / (row.symbols.length + 1);
}

/** Patterns at even steps of probability, from the closest to the farthest, so that epochs compare. */
function spreadPatterns({ embedding }: Knowledge, row: KnownAnswer, probabilities: Float64Array): number[] {
  const closeness = probabilities.map((_, other) => similarity(row.location, 0, embedding, other));
  const order = Array.from(closeness.keys())
    .filter((other) => other !== row.self)
    .sort((a, b) => (closeness[b] as number) - (closeness[a] as number));
  const patterns: number[] = [];
  let passed = 0;
  for (const other of order) {
    passed += probabilities[other] as number;
    while (patterns.length < LOSS_PATTERNS && passed > (patterns.length + 0.5) / LOSS_PATTERNS)
      patterns.push(other);
  }
  while (patterns.length < LOSS_PATTERNS) patterns.push(order.at(-1) ?? 0);
  return patterns;
}

/** How probable each row is as the pattern of this answer, given log scores from before the answer was known. */
export function explanations(
  { embedding }: Knowledge,
  row: KnownAnswer,
  scores: Float64Array,
  sharpness = ANSWER_SHARPNESS,
): Float64Array {
  const posterior = scores.map((score, other) => {
    if (other === row.self) return Number.NEGATIVE_INFINITY;
    return score + sharpness * similarity(row.location, 0, embedding, other);
  });
  normalizeExponentials(posterior);
  return posterior;
}

/** Goes through a known answer symbol by symbol and stops at each once the neighbours' evidence on it is gathered. */
export function walkAnswer(
  knowledge: Knowledge,
  neighbourhood: Neighbourhood,
  row: { prompt: Prompt; symbols: number[] },
  visit: (symbol: number) => void,
): void {
  const { corpus, backOff } = knowledge;
  const resolver = new PointerResolver(row.prompt);
  const usable = usableSymbols(corpus, resolver);
  const history = new History(corpus.elementsMax);
  for (const symbol of [...row.symbols, END]) {
    neighbourhood.gather(history, backOff.repetition, usable);
    visit(symbol);
    const name = corpus.vocabulary[symbol] as string;
    resolver.accept(name);
    history.append(symbol, name);
  }
}

function divergence(from: Float64Array, to: Float64Array): number {
  return from.reduce((sum, probability, index) => {
    return probability > 0
      ? sum + probability * Math.log(probability / Math.max(1e-300, to[index] as number))
      : sum;
  }, 0);
}

/** The rows whose answers are close to the pattern's and whose prompts have an affinity to this one. */
export function gatherNeighbours(
  { embedding, corpus, relevance }: Knowledge,
  pattern: number,
  affinities: Float64Array,
  self: number,
  temperature = 1,
): Neighbourhood {
  const scores = affinities.map((affinity, row) => {
    if (row === self) return Number.NEGATIVE_INFINITY;
    return relevance.closeness(embedding, pattern, row) + affinity;
  });
  const rows = highestRows(scores, NEIGHBOURS_MAX).filter((row) => row !== self);
  const highest = scores[rows[0] ?? 0] as number;
  const weights = rows.map((row) => Math.exp(((scores[row] as number) - highest) / temperature));
  return new Neighbourhood(corpus, rows, weights);
}

/** At temperature 0 the most relevant row; above it the draw follows the data, so that bad data shows. */
function drawPattern(scores: Float64Array, temperature: number, random: () => number): number {
  const draw = random();
  if (temperature <= 0)
    return scores.indexOf(scores.reduce((best, score) => Math.max(best, score), -Infinity));
  const prior = scores.slice();
  normalizeExponentials(prior);
  const best = prior.reduce((highest, probability) => Math.max(highest, probability), 0);
  const kept = prior.map((probability) => (probability < best * PATTERN_FLOOR ? 0 : probability));
  return drawIndex(kept, () => draw);
}

function drawOption(probabilities: number[], temperature: number, random: () => number): number {
  const best = probabilities.reduce((highest, value) => Math.max(highest, value), 0);
  if (temperature <= 0) return probabilities.indexOf(best);
  const kept = probabilities.map((value) => (value < best * PROBABILITY_FLOOR ? 0 : value));
  return drawIndex(kept, random);
}

function usableSymbols(corpus: Corpus, resolver: PointerResolver): (symbol: number) => boolean {
  return (symbol) => {
    if (corpus.pointers[symbol] === 0) return symbol !== UNKNOWN;
    return resolver.textOf(corpus.vocabulary[symbol] as string) !== null;
  };
}

function highestRows(values: Float64Array, limit: number): number[] {
  const order = Array.from(values.keys());
  if (order.length <= limit) return order.sort((a, b) => (values[b] as number) - (values[a] as number));
  const threshold = Float64Array.from(values).sort()[values.length - limit] as number;
  return order
    .filter((row) => (values[row] as number) >= threshold)
    .sort((a, b) => (values[b] as number) - (values[a] as number))
    .slice(0, limit);
}
