import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DatasetRecord } from '../../domain/dataset.js';
import { canonicalJson, type JsonObject } from '../../domain/json.js';
import type { InputProblem } from '../../domain/parse-input.js';
import type { RowResult } from '../../domain/recipe.js';
import { parseAnswer } from './answer.js';
import { type Catalogue, verdictIds } from './catalogue.js';
import { readPrompt, writePrompt } from './prompt.js';
import { createRequestReader } from './request.js';
import { groupKeyOf } from './scenario.js';
import { scoreGarment } from './scoring.js';

const rowSchema = z.looseObject({
  id: z.string().min(1).optional(),
  verdict: z.enum(verdictIds).optional(),
  quality: z.number().min(0).max(10).nullable().optional(),
});

/** Maps `{wearer, garment, answer, verdict?, quality?, id?}`: a scenario with the words somebody found for it. */
export function createRowMapper(catalogue: Catalogue) {
  const requests = createRequestReader(catalogue);
  return (row: JsonObject, origin: { source: string; index: number }): RowResult => {
    const envelope = rowSchema.safeParse(row);
    if (!envelope.success) return rowProblem(z.prettifyError(envelope.error));
    const reading = requests.read({ wearer: row.wearer, garment: row.garment });
    if ('problems' in reading) return rowProblem(reading.problems.map(showProblem).join('; '));
    if (row.answer === undefined) return rowProblem('answer: found nothing; allowed: {headline, pinch}');
    const answer = typeof row.answer === 'string' ? row.answer : JSON.stringify(row.answer);
    const parsed = parseAnswer(answer);
    if ('fault' in parsed) return unparsableAnswer(parsed.fault);

    const { garment, wearer } = reading.request;
    const result = scoreGarment(catalogue, garment, wearer);
    const { id, verdict, quality } = envelope.data;
    if (verdict !== undefined && verdict !== result.verdict) return staleVerdict(verdict, result);
    const turns: DatasetRecord['turns'] = [
      { role: 'user', text: writePrompt(catalogue, { garment, wearer, result }) },
      { role: 'assistant', text: JSON.stringify(parsed.document) },
    ];
    return {
      record: {
        id: id ?? hashOf(canonicalJson(row)),
        groupKey: groupKeyOf(wearer, garment),
        system: catalogue.systemPrompt,
        turns,
        label: result.verdict,
        source: origin.source,
        quality: quality ?? null,
        weight: 1,
      },
    };
  };
}

/** Takes label and group from the prompt. Whether the words fit the verdict shows in validation, not here. */
export function annotateRecord(record: DatasetRecord): RowResult {
  const prompt = record.turns.find(({ role }) => role === 'user')?.text ?? '';
  const facts = readPrompt(prompt);
  if (!facts) {
    return {
      problem: {
        code: 'MissingVerdict',
        message: `the user turn has no line "VERDICT: ${verdictIds.join('|')}"`,
        remedy: 'Begin the user turn with the verdict, for instance "VERDICT: smart_pick".',
      },
    };
  }
  const parsed = parseAnswer(record.turns.at(-1)?.text ?? '');
  if ('fault' in parsed) return unparsableAnswer(parsed.fault);
  const { bodyShape, category, style, verdict } = facts;
  const known = bodyShape !== null && category !== null && style !== null;
  const groupKey = known ? groupKeyOf({ bodyShape }, { category, style }) : hashOf(prompt);
  return { record: { ...record, groupKey, label: verdict } };
}

function rowProblem(message: string): RowResult {
  return {
    problem: {
      code: 'NotAScenario',
      message,
      remedy:
        'Give {"wearer": {…}, "garment": {…}, "answer": {"headline", "pinch"}}, or a ready conversation.',
    },
  };
}

function unparsableAnswer(fault: string): RowResult {
  return {
    problem: {
      code: 'UnparsableAnswer',
      message: `the answer is not {"headline", "pinch"}: ${fault}`,
      remedy: 'Write the answer as one JSON object with a headline below 80 characters and 2 to 5 segments.',
    },
  };
}

function staleVerdict(found: string, { verdict, score }: { verdict: string; score: number }): RowResult {
  return {
    problem: {
      code: 'StaleVerdict',
      message: `verdict: found "${found}"; the scenario scores ${score.toFixed(1)}, which is "${verdict}"`,
      remedy: 'Leave the verdict out and write the answer anew for the verdict that the score gives.',
    },
  };
}

function showProblem({ path, found, allowed }: InputProblem): string {
  return `${path}: found ${found}; allowed: ${allowed}`;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
