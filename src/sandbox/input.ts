import type { z } from 'zod';
import { didYouMean, formatProblems, parseInput as parse } from '../domain/parse-input.js';

/** Checks what a person wrote; one error names every place, what was found there and what is allowed. */
export function parseInput<Value>(schema: z.ZodType<Value>, input: unknown, subject: string): Value {
  const parsed = parse(schema, input);
  if ('value' in parsed) return parsed.value;
  throw new InvalidInput(formatProblems(subject, parsed.problems));
}

/** Reads JSON, or says that it is none. */
export function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidInput(`InvalidInput: ${subject} is not JSON: ${(error as Error).message}.`);
  }
}

export class InvalidInput extends Error {}

/** What was found, what is allowed, and the name that was probably meant. */
export function refusal(found: unknown, allowed: readonly string[]): string {
  const meant = typeof found === 'string' ? didYouMean(found, allowed) : null;
  return `found ${JSON.stringify(found)}; allowed: ${allowed.join(', ')}.${meant ? ` Did you mean "${meant}"?` : ''}`;
}
