import { readFileSync } from 'node:fs';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.js';
import type { Recipe } from '../../domain/recipe.js';
import { type Comparison, compare, inTurn, secondsOf } from './comparison.js';

const documentCount = 2000;
/** One document in twenty says something that a rule forbids. */
const hitEvery = 20;

/** Documents a second through the whole ruleset, against one alternation of the ruleset's own words. */
export async function benchGuardrails(
  recipe: Recipe,
  rulesetPath: string,
  repetitions: number,
  signal: AbortSignal,
): Promise<Comparison> {
  const ruleset = JSON.parse(readFileSync(rulesetPath, 'utf8')) as JsonObject;
  const documents = documentsOf(recipe, hitExamples(ruleset));
  const texts = documents.map(textsOf);
  const union = unionOf(ruleset);
  const found = { ours: 0, oursElsewhere: 0, floor: 0 };
  const sides = {
    ours: async () => {
      const seconds = await secondsOf(() => {
        found.ours = documents.filter(
          (document, index) => isHit(index) && isFlagged(recipe, document),
        ).length;
        for (const [index, document] of documents.entries()) if (!isHit(index)) isFlagged(recipe, document);
      });
      return documents.length / seconds;
    },
    floor: async () => {
      const seconds = await secondsOf(() => {
        found.floor = texts.filter((parts) => parts.filter((text) => text.match(union)).length > 0).length;
      });
      return documents.length / seconds;
    },
  };
  await inTurn(sides, 1, signal);
  const measured = await inTurn(sides, repetitions, signal);
  const hits = documents.filter((_, index) => isHit(index)).length;
  return compare(
    {
      name: 'guardrails',
      ours: `the ruleset of "${recipe.name}", every rule`,
      against: 'one RegExp of all its words, every match of it',
      unit: 'documents/s',
      better: 'higher',
    },
    measured.map(({ ours, floor }) => ({ ours, against: floor })),
    [
      `${documents.length} generated answers, ${hits} of them (5 %) with a sentence that a rule forbids.`,
      `Ours flags ${found.ours} of the ${hits} and ${found.oursElsewhere} of the others; the plain words stand in ${found.floor} of all ${documents.length}, so they tell nothing.`,
    ],
  );
}

function isHit(index: number): boolean {
  return index % hitEvery === 0;
}

function isFlagged(recipe: Recipe, document: JsonObject): boolean {
  const { violations, warnings, shadows = [] } = recipe.checkAnswer(document, {});
  return violations.length + warnings.length + shadows.length > 0;
}

function documentsOf(recipe: Recipe, forbidden: readonly string[]): JsonObject[] {
  const { builder } = recipe;
  if (!builder) throw new Error(`The recipe ${recipe.name} has no builder.`);
  const [backend = ''] = builder.backends;
  const records = [...builder.build({ backend, records: documentCount, seed: 5 })];
  return records.map((record, index) => {
    const parsed = recipe.parseAnswer(record.turns.at(-1)?.text ?? '');
    if ('fault' in parsed) throw new Error(parsed.fault);
    const { document } = parsed;
    const text = forbidden[(index / hitEvery) % forbidden.length];
    return isHit(index) && text ? withText(document, text) : document;
  });
}

/** The document, with the last of its texts replaced. */
function withText(document: JsonObject, text: string): JsonObject {
  const segments = Array.isArray(document.pinch) ? document.pinch : [];
  const last = segments.at(-1);
  return { ...document, pinch: [...segments.slice(0, -1), { ...(isJsonObject(last) ? last : {}), text }] };
}

function textsOf(document: JsonObject): string[] {
  const collect = (value: Json): string[] => {
    if (typeof value === 'string') return [value];
    if (Array.isArray(value)) return value.flatMap(collect);
    return isJsonObject(value) ? Object.values(value).flatMap(collect) : [];
  };
  return collect(document);
}

/** Sentences that the ruleset itself names as hits of its rules. */
function hitExamples(ruleset: JsonObject): string[] {
  const rules = Array.isArray(ruleset.rules) ? ruleset.rules : [];
  return rules.flatMap((rule) => {
    const examples = isJsonObject(rule) ? rule.examples : null;
    const hits = isJsonObject(examples) && Array.isArray(examples.hit) ? examples.hit : [];
    return hits.filter((hit) => typeof hit === 'string');
  });
}

function unionOf(ruleset: JsonObject): RegExp {
  const lexicons = isJsonObject(ruleset.lexicons) ? Object.values(ruleset.lexicons) : [];
  const words = lexicons.flatMap((lexicon) => {
    const list = isJsonObject(lexicon) ? lexicon.words : lexicon;
    return Array.isArray(list) ? list.filter((word) => typeof word === 'string') : [];
  });
  const escaped = [...new Set(words)].map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`\\b(?:${escaped.sort((a, b) => b.length - a.length).join('|')})\\b`, 'gi');
}
