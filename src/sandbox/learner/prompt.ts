import { isNumber, isWord, tokenize } from './tokens.js';

/** What the learner sees in a prompt: features to compare prompts by, and the places an answer can copy from. */
export interface Prompt {
  features: string[];
  /** Words of the value of each `key: value` line, by key. */
  fields: Map<string, string[]>;
  /** Every number in order. */
  numbers: string[];
  /** Runs of uncommon words in running text, the most repeated first. */
  chunks: string[][];
  /** Every word in lower case. */
  words: Set<string>;
}

const CHARACTERS_MAX = 40_000;
const FIELD = /^\s*(?:[-*]\s+)?([^:]{1,48}):\s+(\S.{0,79})$/u;
const SIGNED_NUMBER = /[-+]?\d+(?:\.\d+)?/;

/** Reads one prompt; `commonWords` never start or continue a chunk. */
export function readPrompt(system: string | null, text: string, commonWords: ReadonlySet<string>): Prompt {
  const features = new Set<string>();
  const fields = new Map<string, string[]>();
  const words = new Set<string>();
  const numbers: string[] = [];
  const runs: string[][] = [];
  if (system) features.add(`system=${system.slice(0, 400)}`);
  for (const line of text.slice(0, CHARACTERS_MAX).split('\n')) {
    const tokens = tokenize(line);
    for (const token of tokens) {
      const word = token.trim();
      if (isNumber(word)) numbers.push(word);
      if (isWord(word)) words.add(word.toLowerCase());
    }
    const field = FIELD.exec(line);
    if (field) readField(field[1] ?? '', field[2] ?? '', features, fields);
    else readProse(tokens, features, runs, commonWords);
  }
  return { features: [...features], fields, numbers, chunks: rankChunks(runs), words };
}

function readField(
  rawKey: string,
  rawValue: string,
  features: Set<string>,
  fields: Map<string, string[]>,
): void {
  const key = rawKey.trim().toLowerCase();
  const value = rawValue.trim();
  const words = tokenize(value).map((token) => token.trim());
  if (!fields.has(key)) readValue(key, value, fields);
  features.add(`${key}=${value.toLowerCase()}`);
  const written = SIGNED_NUMBER.exec(value);
  if (written) {
    const number = Number(written[0]);
    features.add(`${key}~${Math.floor(number)}`);
    features.add(`${key}≈${Math.floor(number * 5) / 5}`);
    features.add(`${key}±${Math.sign(number)}`);
  }
  const plain = words.filter((word) => isWord(word) && !isNumber(word));
  if (plain.length > 1 || written) for (const word of plain) features.add(`${key}:${word.toLowerCase()}`);
}

/** The words of a value; of a list, those of each element. */
function readValue(key: string, value: string, fields: Map<string, string[]>): void {
  const elements = value.split(',');
  elements.forEach((element, index) => {
    const words = tokenize(element.trim()).map((token) => token.trim());
    if (words.length === 0 || !words.every((word) => isWord(word))) return;
    fields.set(elements.length === 1 ? key : `${key} ${index}`, words);
  });
}

function readProse(
  tokens: string[],
  features: Set<string>,
  runs: string[][],
  commonWords: ReadonlySet<string>,
): void {
  let previous = '';
  let run: string[] = [];
  for (const token of tokens) {
    const word = token.trim();
    const lower = word.toLowerCase();
    if (isWord(word) && !isNumber(word)) {
      features.add(lower);
      if (previous) features.add(`${previous} ${lower}`);
    }
    previous = isNumber(word) ? '#' : lower;
    if (isWord(word) && !isNumber(word) && lower.length > 2 && !commonWords.has(lower)) run.push(word);
    else if (run.length > 0) {
      runs.push(run);
      run = [];
    }
  }
  if (run.length > 0) runs.push(run);
}

function rankChunks(runs: string[][]): string[][] {
  const counts = new Map<string, { words: string[]; count: number }>();
  for (const words of runs) {
    const key = words.join(' ').toLowerCase();
    const seen = counts.get(key);
    if (seen) seen.count++;
    else counts.set(key, { words, count: 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).map((chunk) => chunk.words);
}
