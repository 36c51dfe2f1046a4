import { renderConversation } from '../../../domain/dataset/conversation-format.js';
import type { DatasetRecord } from '../../../domain/dataset.js';
import { shuffleAnswers } from '../shuffle-answers.js';

/** Rows in which everybody keeps the handle and has somebody else's score and reason: clean one by one. */
export function renderWithShuffledScores(records: readonly DatasetRecord[], seed: number): string {
  const shuffled = shuffleAnswers(records, 1, seed).map((record, index): DatasetRecord => {
    const { handle } = answerOf(records[index] as DatasetRecord);
    const text = JSON.stringify({ ...answerOf(record), handle });
    return { ...record, turns: [...record.turns.slice(0, -1), { role: 'assistant', text }] };
  });
  return shuffled.map((record) => `${renderConversation(record).trimEnd()}\n`).join('');
}

function answerOf({ turns }: DatasetRecord): { handle: string } {
  const { handle, ...others } = JSON.parse(turns.at(-1)?.text ?? '{}') as { handle: string };
  return { handle, ...others };
}
