import { z } from 'zod';
import type { JsonObject } from '../../domain/json.js';

const scoreSchema = z
  .union([z.number(), z.string().regex(/^\s*\d*\.?\d+\s*$/)])
  .transform(Number)
  .pipe(z.number().min(0).max(1));

const answerSchema = z.object({
  handle: z.string().min(1).max(60),
  score: scoreSchema,
  reason: z.string().trim().min(1).max(1000),
});

/** `score` is from 0 to 1: how likely a real person who is an academic researcher. */
export type ScoredProfile = z.output<typeof answerSchema>;

/** Reads an answer; the score may stand in it as a number or as text, as the teachers write it. */
export function parseScoredProfile(answer: string): { value: ScoredProfile } | { fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(answer.trim());
  } catch (error) {
    return { fault: `not JSON: ${(error as Error).message}` };
  }
  const parsed = answerSchema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join('.') || 'the answer'}: ${issue?.message}` };
}

export function toDocument({ handle, score, reason }: ScoredProfile): JsonObject {
  return { handle, score, reason };
}

/** As training records have it: the score as text with two decimals. */
export function writeAnswer({ handle, score, reason }: ScoredProfile): string {
  return JSON.stringify({ handle, score: score.toFixed(2), reason });
}
