import { createHash } from 'node:crypto';
import { isConversationRow, readConversation } from '../../domain/dataset/conversation-format.js';
import { checkConversation } from '../../domain/dataset/conversation-rules.js';
import { excerpt } from '../../domain/dataset/problem.js';
import type { DatasetRecord } from '../../domain/dataset.js';
import type { JsonObject } from '../../domain/json.js';
import type { Recipe, RowProblem, RowResult } from '../../domain/recipe.js';

export type RecordResult =
  | { readonly record: DatasetRecord; readonly joinedTexts: number }
  | { readonly problems: readonly [RowProblem, ...RowProblem[]] }
  | { readonly leftOut: string };

/** Makes a record of one parsed row: a conversation is read and annotated, any other row is the recipe's to map. */
export function rowToRecord(
  row: JsonObject,
  recipe: Recipe,
  origin: { source: string; index: number },
): RecordResult {
  if (!isConversationRow(row))
    return toResult(
      askRecipe(recipe, () => recipe.mapRow(row, origin)),
      0,
    );
  const reading = readConversation(row);
  if ('problems' in reading) {
    const [first, ...others] = reading.problems;
    if (first !== undefined) return { problems: [first, ...others] };
    throw new Error('a conversation was refused without a problem');
  }
  const { system, turns, joinedTexts } = reading;
  const record: DatasetRecord = {
    id: conversationHash({ system, turns }).slice(0, 24),
    // Questions that are asked twice with different answers must not stand in both splits.
    groupKey: sha256(turns[0]?.text ?? '').slice(0, 24),
    system,
    turns,
    label: null,
    source: origin.source,
    quality: null,
    weight: 1,
  };
  const result = toResult(
    askRecipe(recipe, () => recipe.annotate(record)),
    joinedTexts,
  );
  if (!('problems' in result)) return result;
  // What is wrong with the conversation itself explains more than what the recipe makes of it.
  const [first, ...others] = checkConversation(record).problems;
  return first === undefined ? result : { problems: [first, ...others] };
}

/** Identifies what is trained on: equal for records that differ in nothing but bookkeeping. */
export function conversationHash(record: Pick<DatasetRecord, 'system' | 'turns'>): string {
  return sha256(JSON.stringify([record.system, record.turns.map((turn) => [turn.role, turn.text])]));
}

/** Calls the recipe; an exception of its own on somebody's row is a problem of that row, named with its place. */
export function askRecipe<Result>(recipe: Recipe, ask: () => Result): Result | { problem: RowProblem } {
  try {
    return ask();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      problem: {
        code: 'RecipeFailed',
        message: `the recipe "${recipe.name}" failed on this row: ${excerpt(message, 200)}`,
        remedy:
          'Compare the row with those that the recipe expects; if it is right, the recipe has a defect.',
      },
    };
  }
}

function toResult(result: RowResult, joinedTexts: number): RecordResult {
  if ('leftOut' in result) return result;
  return 'problem' in result ? { problems: [result.problem] } : { record: result.record, joinedTexts };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
