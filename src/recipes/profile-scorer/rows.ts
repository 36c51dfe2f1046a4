import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DatasetRecord } from '../../domain/dataset.js';
import { canonicalJson, type JsonObject } from '../../domain/json.js';
import { type InputProblem, parseInput } from '../../domain/parse-input.js';
import type { RowResult } from '../../domain/recipe.js';
import { parseScoredProfile, type ScoredProfile, writeAnswer } from './answer.js';
import { handleIn, profileSchema, writePrompt } from './profile.js';

const idSchema = z.union([z.string().min(1), z.number()]);

/** A profile with the score that a larger model gave it. Other columns of the query are not shown to the model. */
const scoredRowSchema = profileSchema.loose().extend({
  score: z.union([z.string(), z.number()]),
  reason: z.string(),
  twitter_id: idSchema.optional(),
  category: z.string().nullable().optional(),
});

/** As exports of scored profiles are stored: a finished prompt and its answer. */
const instructionRowSchema = z.strictObject({ instruction: z.string(), output: z.string() });

/** It names who gave the score, which nobody knows of a profile that is still to be scored. */
const scorerLine = /^\(Scored by model: .*\)\s*$/m;

export interface PromptParts {
  readonly system: string;
  readonly instruction: string;
}

/** Maps scored profiles, as the SQL of this recipe reads them, and `{instruction, output}` rows. */
export function createRowMapper({ system, instruction }: PromptParts) {
  return (row: JsonObject, origin: { source: string; index: number }): RowResult => {
    if ('instruction' in row) return mapInstruction(row, system, origin.source);
    const parsed = parseInput(scoredRowSchema, row);
    if ('problems' in parsed) return notAScoredProfile(describe(parsed.problems));
    const { score, reason, twitter_id: id, category } = parsed.value;
    const profile = profileSchema.parse(pick(row, Object.keys(profileSchema.shape)));
    const answer = parseScoredProfile(JSON.stringify({ handle: profile.handle, score, reason }));
    if ('fault' in answer) return notAScoredProfile(answer.fault);
    const prompt = writePrompt(instruction, profile);
    return {
      record: toRecord({
        id: id === undefined ? hashOf(canonicalJson(row)) : String(id),
        prompt,
        answer: answer.value,
        system,
        label: category ?? null,
        source: origin.source,
      }),
    };
  };
}

function mapInstruction(row: JsonObject, system: string, source: string): RowResult {
  const parsed = parseInput(instructionRowSchema, row);
  if ('problems' in parsed) return notAScoredProfile(describe(parsed.problems));
  const prompt = parsed.value.instruction.replace(scorerLine, '').trim();
  const handle = handleIn(prompt);
  if (handle === null) return notAScoredProfile('instruction: found no line "handle: …"');
  const answer = parseScoredProfile(parsed.value.output);
  if ('fault' in answer) return notAScoredProfile(`output: ${answer.fault}`);
  if (answer.value.handle !== handle) return wrongHandle(handle, answer.value.handle);
  const id = hashOf(canonicalJson(row));
  return { record: toRecord({ id, prompt, answer: answer.value, system, label: null, source }) };
}

/** Completes a ready conversation: records of one handle never stand in both splits. */
export function annotateRecord(record: DatasetRecord): RowResult {
  const handle = handleIn(record.turns[0]?.text ?? '');
  if (handle === null) return notAScoredProfile('the first message has no line "handle: …"');
  const answer = parseScoredProfile(record.turns.at(-1)?.text ?? '');
  if ('value' in answer && answer.value.handle !== handle) return wrongHandle(handle, answer.value.handle);
  return { record: { ...record, groupKey: handle.toLowerCase() } };
}

export function toRecord(parts: {
  readonly id: string;
  readonly prompt: string;
  readonly answer: ScoredProfile;
  readonly system: string;
  readonly label: string | null;
  readonly source: string;
}): DatasetRecord {
  const { id, prompt, answer, system, label, source } = parts;
  return {
    id,
    groupKey: answer.handle.toLowerCase(),
    system,
    turns: [
      { role: 'user', text: prompt },
      { role: 'assistant', text: writeAnswer(answer) },
    ],
    label,
    source,
    quality: null,
    weight: 1,
  };
}

function notAScoredProfile(message: string): RowResult {
  return {
    problem: {
      code: 'NotAScoredProfile',
      message,
      remedy:
        'Give handle, score (0 to 1) and reason, and what is known of display_name, bio, created_at, follower_count and location; or leave the row out.',
    },
  };
}

function wrongHandle(asked: string, answered: string): RowResult {
  return {
    problem: {
      code: 'WrongHandle',
      message: `the profile is of "${asked}", the answer of "${answered}"`,
      remedy: 'Join profiles and scores by their key, and export them again.',
    },
  };
}

function describe(problems: readonly InputProblem[]): string {
  return problems
    .map(({ path, found, allowed }) => `${path}: found ${found}; allowed: ${allowed}`)
    .join('; ');
}

function pick(row: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name)));
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
