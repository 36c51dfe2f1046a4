import { DIMENSIONS, embedAnswers } from './answer-space.js';
import { BackOff } from './back-off.js';
import { type CopyLexicon, encodeAnswer, learnCopyLexicon } from './copying.js';
import { Corpus } from './corpus.js';
import type { EpochMetrics, TrainingExample } from './index.js';
import {
  answerLoss,
  explanations,
  gatherNeighbours,
  type Knowledge,
  type KnownAnswer,
  walkAnswer,
} from './model.js';
import { type Prompt, readPrompt } from './prompt.js';
import { createRandom, drawIndex, shuffledIndices } from './random.js';
import { Relevance } from './relevance.js';
import { tokenize } from './tokens.js';

const RESERVED_SYMBOLS = ['\u0002begin', '\u0002end', '\u0002unknown'];
const STEPS_MAX = 240;
const LOSS_ROWS_MAX = 60;
const PATTERN_RATE = 4;
const BACK_OFF_RATE = 0.06;

/** The learning rate at which steps have their natural size; the usual default of fine-tuning jobs. */
const USUAL_LEARNING_RATE = 1e-5;

type Locate = (answer: ArrayLike<number>) => Float64Array;

/** Learns from the examples in `epochs` passes and reports the losses after each. */
export function learn(
  input: {
    training: TrainingExample[];
    validation: TrainingExample[];
    epochs: number;
    learningRate: number;
    seed: number;
  },
  onEpoch: (metrics: EpochMetrics) => void,
): { knowledge: Knowledge; trainingTokens: number } {
  const { knowledge, rows, lexicon, locate } = prepare(input.training, input.seed);
  const validation = input.validation
    .slice(0, LOSS_ROWS_MAX)
    .map((example) => encodeUnseen(example, knowledge, lexicon, locate));
  const random = createRandom(input.seed + 1);
  const measured = shuffledIndices(rows.length, LOSS_ROWS_MAX, random).map((row) => rows[row] as KnownAnswer);
  for (let epoch = 1; epoch <= input.epochs; epoch++) {
    const rate = stepScale(input.learningRate) * schedule((epoch - 0.5) / input.epochs);
    knowledge.relevance.trainEpoch(knowledge.embedding, PATTERN_RATE * rate, random);
    trainContinuations(knowledge, rows, rate, random);
    onEpoch({
      epoch,
      step: epoch * rows.length,
      trainingLoss: meanLoss(knowledge, measured) ?? 0,
      validationLoss: meanLoss(knowledge, validation),
    });
  }
  const tokens = input.training.reduce((sum, { system, prompt, answer }) => {
    return sum + tokenize(system ?? '').length + tokenize(prompt).length + tokenize(answer).length;
  }, 0);
  return { knowledge, trainingTokens: tokens * input.epochs };
}

function prepare(
  examples: TrainingExample[],
  seed: number,
): { knowledge: Knowledge; rows: KnownAnswer[]; lexicon: CopyLexicon; locate: Locate } {
  const commonWords = findCommonWords(examples);
  const prompts = examples.map(({ system, prompt }) => readPrompt(system, prompt, commonWords));
  const lexicon = learnCopyLexicon(
    examples.map(({ answer }, index) => ({ promptWords: prompts[index]?.words ?? new Set(), answer })),
  );
  const encoded = examples.map(({ answer }, index) =>
    encodeAnswer(answer, prompts[index] as Prompt, lexicon),
  );
  const vocabulary = [...new Set([...RESERVED_SYMBOLS, ...encoded.flat()])];
  const identifiers = new Map(vocabulary.map((symbol, index) => [symbol, index]));
  const symbols = encoded.map((answer) => answer.map((symbol) => identifiers.get(symbol) as number));
  const corpus = new Corpus(vocabulary, symbols);
  const relevance = new Relevance(...indexFeatures(prompts));
  const { embedding, locate } = embedAnswers(symbols, relevance.rows, seed);
  const knowledge: Knowledge = {
    corpus,
    relevance,
    embedding,
    backOff: new BackOff(),
    commonWords,
  };
  const rows = prompts.map((prompt, self) => ({
    prompt,
    features: relevance.rows[self] as number[],
    symbols: symbols[self] as number[],
    self,
    location: embedding.slice(self * DIMENSIONS, (self + 1) * DIMENSIONS),
  }));
  return { knowledge, rows, lexicon, locate };
}

function findCommonWords(examples: TrainingExample[]): Set<string> {
  const counts = new Map<string, number>();
  for (const { prompt } of examples) {
    for (const word of readPrompt(null, prompt, new Set()).words)
      counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return new Set(
    [...counts].filter(([, count]) => count > Math.max(2, examples.length * 0.1)).map(([word]) => word),
  );
}

/** Features that only one prompt has, or that nearly all have, cannot tell prompts apart. */
function indexFeatures(prompts: Prompt[]): [string[], number[][]] {
  const counts = new Map<string, number>();
  for (const { features } of prompts)
    for (const name of features) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts]
    .filter(([, count]) => count > 1 && count <= prompts.length * 0.98)
    .map(([name]) => name);
  const identifiers = new Map(names.map((name, index) => [name, index]));
  return [names, prompts.map(({ features }) => features.flatMap((name) => identifiers.get(name) ?? []))];
}

function encodeUnseen(
  example: TrainingExample,
  { corpus, relevance, commonWords }: Knowledge,
  lexicon: CopyLexicon,
  locate: Locate,
): KnownAnswer {
  const prompt = readPrompt(example.system, example.prompt, commonWords);
  const symbols = encodeAnswer(example.answer, prompt, lexicon).map((symbol) => corpus.identify(symbol));
  return {
    prompt,
    features: relevance.identify(prompt.features),
    symbols,
    self: -1,
    location: locate(symbols),
  };
}

/** One pass over rows in random order: each is predicted from the others, along a pattern that could explain it. */
function trainContinuations(
  knowledge: Knowledge,
  rows: KnownAnswer[],
  rate: number,
  random: () => number,
): void {
  if (rows.length < 2) return;
  const { backOff, corpus, relevance, embedding } = knowledge;
  for (const at of shuffledIndices(rows.length, STEPS_MAX, random)) {
    const row = rows[at] as KnownAnswer;
    const pattern = drawIndex(explanations(knowledge, row, relevance.scores(row.features)), random);
    const neighbourhood = gatherNeighbours(knowledge, pattern, relevance.affinities(row.features), row.self);
    const gradient = new Float64Array(neighbourhood.rows.length);
    walkAnswer(knowledge, neighbourhood, row, (symbol) => {
      backOff.learn(symbol, neighbourhood, corpus.unigrams[symbol] as number, BACK_OFF_RATE * rate, gradient);
    });
    const input = { features: row.features, pattern, neighbours: neighbourhood.rows, embedding };
    relevance.learnNeighbours(input, gradient, rate);
  }
}

function meanLoss(knowledge: Knowledge, rows: KnownAnswer[]): number | null {
  if (rows.length === 0) return null;
  return rows.reduce((sum, row) => sum + answerLoss(knowledge, row), 0) / rows.length;
}

/** Steps grow slowly with the learning rate, so that any sane rate learns, and a tiny one learns little. */
function stepScale(learningRate: number): number {
  const ratio = learningRate > 0 ? learningRate / USUAL_LEARNING_RATE : 0;
  return Math.min(3, ratio ** 0.5);
}

/** Warm-up over the first third of training, then a linear decay. */
function schedule(progress: number): number {
  return progress < 1 / 3 ? 3 * progress : 1.5 * (1 - progress);
}
