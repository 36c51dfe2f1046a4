import { z } from 'zod';
import type { JsonObject } from '../../domain/json.js';
import type { Catalogue } from './catalogue.js';
import { type StylistAnswer, segmentStyles } from './phrase-bank.js';
import { heightText } from './prompt.js';
import type { StylingRequest } from './request.js';
import type { PrincipleScore, ScoreResult } from './scoring.js';

const safeAnswer = z.strictObject({
  headline: z.string(),
  pinch: z.array(z.strictObject({ text: z.string(), style: z.enum(segmentStyles) })),
});
const byVerdict = <T extends z.ZodType>(schema: T) =>
  z.strictObject({ this_is_it: schema, smart_pick: schema, not_this_one: schema });

/** The wording of the deterministic parts of a response: `response.json`. */
export const responseTextSchema = z.strictObject({
  photoNote: z.string(),
  confidence: z.strictObject({ complete: z.string(), partial: z.string() }),
  searchContext: z.string(),
  searchContextWithoutDetails: z.string(),
  chatChips: byVerdict(z.array(z.string()).min(1)),
  safeAnswers: byVerdict(safeAnswer),
});

export type ResponseText = z.infer<typeof responseTextSchema>;

/** Everything but the model's words: follows from the request and the score alone. */
export interface StylingContext {
  readonly request: StylingRequest;
  readonly result: ScoreResult;
}

/** The UI-ready response around an answer. Without `personal`, nothing that the wearer typed is in it. */
export function buildResponse(
  { catalogue, text }: { catalogue: Catalogue; text: ResponseText },
  { request, result }: StylingContext,
  answer: StylistAnswer,
  { personal }: { personal: boolean } = { personal: true },
): JsonObject {
  const { verdict, score } = result;
  const color = catalogue.scoring.verdicts.find(({ id }) => id === verdict)?.color ?? '';
  const better = searchDetails(catalogue, result);
  return {
    verdict,
    verdict_color: color,
    headline: answer.headline,
    pinch: answer.pinch.map(({ text: words, style }) => ({ text: words, style })),
    user_line: userLine(catalogue, request, personal),
    goal_chips: result.goals.map(({ goal, label, effect }) => ({ goal, label, effect })),
    photo_note: text.photoNote,
    confidence_note: confidenceNote(text, request),
    ...(verdict === 'this_is_it'
      ? { triple_checks: tripleChecks(catalogue, request, result) }
      : {
          search_pills: searchPills(request, better),
          search_context: searchContext(text, request, better),
        }),
    chat_chips: [...text.chatChips[verdict]],
    overall_score: score,
  };
}

function userLine({ scoring }: Catalogue, { name, wearer }: StylingRequest, personal: boolean): string {
  const goals = wearer.goals.map((goal) => scoring.goals[goal]?.label.toLowerCase() ?? goal);
  const parts = [heightText(wearer.heightInches), scoring.bodyShapes[wearer.bodyShape] ?? '', ...goals];
  return [...(personal && name ? [name] : []), ...parts].join(' · ');
}

function confidenceNote({ confidence }: ResponseText, { garment, assumed }: StylingRequest): string {
  if (assumed.length === 0) return confidence.complete;
  const all = Object.keys(garment.attributes).length;
  return confidence.partial.replace('{given}', String(all - assumed.length)).replace('{all}', String(all));
}

/** The three strongest points, each as a check that the wearer can repeat in the mirror. */
function tripleChecks(
  { garments }: Catalogue,
  { garment }: StylingRequest,
  result: ScoreResult,
): JsonObject[] {
  return [...result.principles]
    .sort((one, other) => other.weight * other.score - one.weight * one.score)
    .slice(0, 3)
    .map(({ label, attribute }) => ({
      label,
      detail: garments.attributes[attribute]?.words[garment.attributes[attribute] ?? ''] ?? '',
    }));
}

/** What to look for instead: the best values where the garment falls shortest, one per attribute. */
function searchDetails({ garments }: Catalogue, result: ScoreResult): string[] {
  const lacking = [...result.principles]
    .filter((entry): entry is PrincipleScore & { better: string } => entry.better !== null)
    .sort((one, other) => one.weight * one.score - other.weight * other.score);
  const words = new Map<string, string>();
  for (const { attribute, better } of lacking) {
    const word = garments.attributes[attribute]?.words[better];
    if (word && !words.has(attribute)) words.set(attribute, word);
  }
  return [...words.values()].slice(0, 3);
}

function searchPills({ garment }: StylingRequest, details: readonly string[]): string[] {
  const kind = garment.category.replaceAll('_', '-');
  const cloth = [garment.color, garment.fabric].filter((word) => word !== null).join(' ');
  return [
    ...details.map((detail) => `${kind} with ${detail}`),
    ...(cloth ? [`${cloth} ${kind}`] : [`${kind} in another cut`]),
  ];
}

function searchContext(text: ResponseText, { garment }: StylingRequest, details: readonly string[]): string {
  const kind = garment.category.replaceAll('_', '-');
  if (details.length === 0) return text.searchContextWithoutDetails.replace('{kind}', kind);
  const list = [details.slice(0, -1).join(', '), details.at(-1)].filter(Boolean).join(' and ');
  return text.searchContext.replace('{kind}', kind).replace('{details}', list);
}
