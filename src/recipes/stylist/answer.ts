import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../domain/json.js';
import type { StylistVerdict } from './catalogue.js';
import { type StylistAnswer, segmentStyles } from './phrase-bank.js';

/** A headline has fewer characters than this. */
export const headlineLimit = 80;

const completeAnswerSchema = z.strictObject({
  headline: z.string().trim().min(1),
  pinch: z
    .array(z.strictObject({ text: z.string().trim().min(1), style: z.enum(segmentStyles) }))
    .min(2)
    .max(5),
});

/** What a model is held to where its server can; see `Recipe.answerSchema`. */
export const answerSchema = z.toJSONSchema(completeAnswerSchema) as JsonObject;

/** Reads an answer as training and inference want it: complete, and with a headline that fits. */
export function parseAnswer(answer: string): { document: JsonObject } | { fault: string } {
  const read = readJsonObject(answer);
  if ('fault' in read) return read;
  const complete = completeAnswerSchema.safeParse(read.document);
  if (!complete.success) return { fault: describe(complete.error) };
  if (!hasFittingHeadline(read.document)) {
    return {
      fault: `headline has ${complete.data.headline.length} characters; fewer than ${headlineLimit} fit`,
    };
  }
  return read;
}

/** Exactly one JSON object and nothing around it: what follows in the response path parses the same way. */
export function readJsonObject(answer: string): { document: JsonObject } | { fault: string } {
  try {
    const value: unknown = JSON.parse(answer);
    return isJsonObject(value) ? { document: value } : { fault: 'JSON, but not an object' };
  } catch (error) {
    return { fault: `not JSON: ${(error as Error).message}` };
  }
}

export function isComplete(document: JsonObject): boolean {
  return completeAnswerSchema.safeParse(document).success;
}

export function hasFittingHeadline(document: JsonObject): boolean {
  const { headline } = document;
  return typeof headline === 'string' && headline.trim() !== '' && headline.length < headlineLimit;
}

/** The verdict that an answer sounds like, told by the styles of its segments; null where they fit none. */
export function toneOf(document: JsonObject): StylistVerdict | null {
  const { pinch } = document;
  if (!Array.isArray(pinch)) return null;
  const styles = new Set(pinch.map((segment) => (isJsonObject(segment) ? segment.style : null)));
  if (styles.has('negative')) return styles.has('fix') ? 'not_this_one' : null;
  if (!styles.has('positive')) return null;
  return styles.has('fix') ? 'smart_pick' : 'this_is_it';
}

/** Of a document that `parseAnswer` has accepted. */
export function asStylistAnswer(document: JsonObject): StylistAnswer {
  return completeAnswerSchema.parse(document);
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map((issue) => `${z.core.toDotPath(issue.path) || 'answer'}: ${issue.message}`)
    .join('; ');
}
