import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderConversation } from '../../domain/dataset/conversation-format.js';
import type { DatasetRecord } from '../../domain/dataset.js';
import type { Recipe } from '../../domain/recipe.js';
import { shuffleAnswers } from './shuffle-answers.js';

/** Rows of the recipe's own builder, as its defaults have them. */
export function builderRecords(recipe: Recipe): DatasetRecord[] {
  const { source } = recipe.defaults.dataset;
  if (!recipe.builder || source?.kind !== 'builder') throw new Error(`Recipe ${recipe.name} has no builder`);
  const [backend = ''] = recipe.builder.backends;
  return [
    ...recipe.builder.build({
      backend: source.backend ?? backend,
      records: source.records ?? 1000,
      seed: source.seed ?? 1,
    }),
  ];
}

/** Writes the recipe's rows with a share of the answers exchanged; returns the file's path. */
export function writeShuffledFile(directory: string, recipe: Recipe, share: number): string {
  const records = shuffleAnswers(builderRecords(recipe), share, 11);
  return write(directory, `shuffled-${Math.round(share * 100)}.jsonl`, records.map(renderConversation));
}

/** Writes a file in which three rows are broken, each in its own way; returns the file's path. */
export function writeBrokenFile(directory: string, recipe: Recipe): string {
  const rows = builderRecords(recipe).slice(0, 40).map(renderConversation);
  const [truncated, reordered, reserved] = [7, 18, 29];
  rows[truncated] = (rows[truncated] ?? '').slice(0, 120);
  const conversation = JSON.parse(rows[reordered] ?? '{}') as { messages: unknown[] };
  rows[reordered] = JSON.stringify({ ...conversation, messages: conversation.messages.toReversed() });
  rows[reserved] = (rows[reserved] ?? '').replace('WEARER:', 'USER:');
  return write(directory, 'broken.jsonl', rows);
}

function write(directory: string, name: string, rows: readonly string[]): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, `${rows.map((row) => row.trimEnd()).join('\n')}\n`);
  return path;
}
