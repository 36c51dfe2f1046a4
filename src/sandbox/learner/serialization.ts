import { gunzipSync, gzipSync } from 'node:zlib';
import { DIMENSIONS } from './answer-space.js';
import { BackOff } from './back-off.js';
import { Corpus } from './corpus.js';
import type { Knowledge } from './model.js';
import { Relevance } from './relevance.js';

const FORMAT = 'anneal-sandbox-learner/1';
const EMBEDDING_STEPS = 1_000;

interface StoredModel {
  format: string;
  vocabulary: string[];
  answers: number[][];
  features: string[];
  prompts: number[][];
  weights: number[];
  affinityWeights: number[];
  directionWeights: number[];
  embedding: number[];
  logits: number[];
  repetition: number;
  commonWords: string[];
}

/** Packs a model as compressed JSON. */
export function serializeKnowledge(knowledge: Knowledge): Uint8Array {
  const stored: StoredModel = {
    format: FORMAT,
    vocabulary: knowledge.corpus.vocabulary,
    answers: knowledge.corpus.rows,
    features: knowledge.relevance.features,
    prompts: knowledge.relevance.rows,
    weights: roundAll(knowledge.relevance.weights),
    affinityWeights: roundAll(knowledge.relevance.affinityWeights),
    directionWeights: roundAll(knowledge.relevance.directionWeights),
    embedding: Array.from(knowledge.embedding, (value) => Math.round(value * EMBEDDING_STEPS)),
    logits: roundAll(knowledge.backOff.logits),
    repetition: knowledge.backOff.repetition,
    commonWords: [...knowledge.commonWords],
  };
  return new Uint8Array(gzipSync(JSON.stringify(stored)));
}

/** Unpacks a model that `serializeKnowledge` packed; anything else is refused. */
export function deserializeKnowledge(serialized: Uint8Array): Knowledge {
  const stored = parse(serialized);
  if (stored.format !== FORMAT || stored.embedding.length !== stored.answers.length * DIMENSIONS) {
    throw new Error(
      `not a sandbox model: found format ${JSON.stringify(stored.format)}, expected "${FORMAT}"`,
    );
  }
  return {
    corpus: new Corpus(stored.vocabulary, stored.answers),
    relevance: new Relevance(stored.features, stored.prompts, stored),
    embedding: Float64Array.from(stored.embedding, (value) => value / EMBEDDING_STEPS),
    backOff: new BackOff({ logits: stored.logits, repetition: stored.repetition }),
    commonWords: new Set(stored.commonWords),
  };
}

function roundAll(values: Float64Array): number[] {
  return Array.from(values, (value) => Number(value.toFixed(5)));
}

function parse(serialized: Uint8Array): StoredModel {
  try {
    return JSON.parse(gunzipSync(serialized).toString('utf8')) as StoredModel;
  } catch (cause) {
    throw new Error('not a sandbox model: expected the bytes that training produced', { cause });
  }
}
