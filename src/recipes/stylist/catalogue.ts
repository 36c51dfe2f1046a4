import { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.js';
import type { RecipeData } from '../load-recipe-data.js';

export const verdictIds = ['this_is_it', 'smart_pick', 'not_this_one'] as const;
export type StylistVerdict = (typeof verdictIds)[number];

const table = z.record(z.string(), z.record(z.string(), z.number().min(-1).max(1)));

const principleSchema = z.strictObject({
  label: z.string(),
  weight: z.number().positive(),
  /** The garment attribute it judges, and the wearer's trait that selects the row of its table. */
  attribute: z.string(),
  by: z.enum(['bodyShape', 'heightBand']),
  table,
});

const scoringSchema = z.strictObject({
  verdicts: z
    .array(
      z.strictObject({ id: z.enum(verdictIds), minimumScore: z.number().min(0).max(10), color: z.string() }),
    )
    .length(3),
  mean: z.strictObject({
    goalWeightFactor: z.number().min(1),
    negativeWeightFactor: z.number().min(1),
    maximumWeightShare: z.number().gt(0).max(1),
    gain: z.number().positive(),
  }),
  goalChips: z.strictObject({ helpingAbove: z.number(), fightingBelow: z.number() }),
  heightBands: z.array(z.strictObject({ id: z.string(), belowInches: z.number() })).min(1),
  defaultHeightInches: z.number(),
  bodyShapes: z.record(z.string(), z.string()),
  goals: z.record(z.string(), z.strictObject({ label: z.string(), principles: z.array(z.string()).min(1) })),
  principles: z.record(z.string(), principleSchema),
});

const garmentsSchema = z.strictObject({
  attributes: z.record(
    z.string(),
    z.strictObject({ label: z.string(), default: z.string(), words: z.record(z.string(), z.string()) }),
  ),
  fabrics: z.record(z.string(), z.record(z.string(), z.string())),
  colors: z.record(z.string(), z.string()),
  categories: z.record(
    z.string(),
    z.strictObject({
      /** Put before the style where its noun is plural, for instance `pair of`. */
      counted: z.string().optional(),
      /** Where the category allows only some of the fabrics. */
      fabrics: z.array(z.string()).min(1).optional(),
      attributes: z.array(z.string()).min(1),
      lengths: z.array(z.string()).min(1),
      /** Each style with the attributes it fixes. */
      styles: z.record(z.string(), z.record(z.string(), z.string())),
    }),
  ),
});

const phrases = z.array(z.string().min(1)).min(3);
const byVerdict = z.strictObject({ this_is_it: phrases, smart_pick: phrases, not_this_one: phrases });

const phrasesSchema = z.strictObject({
  headlines: byVerdict,
  leads: z.strictObject({ this_is_it: phrases, not_this_one: phrases }),
  openers: byVerdict,
  closers: byVerdict,
  principles: z.record(z.string(), z.strictObject({ positive: phrases, negative: phrases, fix: phrases })),
});

export type Scoring = z.infer<typeof scoringSchema>;
export type Principle = z.infer<typeof principleSchema>;
export type Phrases = z.infer<typeof phrasesSchema>;

/** Everything the stylist knows about garments, wearers, scores and words. */
export interface Catalogue {
  readonly scoring: Scoring;
  readonly garments: z.infer<typeof garmentsSchema>;
  readonly phrases: Phrases;
  readonly systemPrompt: string;
}

/** Reads the data files and checks that they fit together, so that no scenario can meet a gap. */
export function loadCatalogue(data: RecipeData): Catalogue {
  const catalogue: Catalogue = {
    scoring: data.json('scoring.json', scoringSchema),
    garments: data.json('garments.json', garmentsSchema),
    phrases: data.json('phrases.json', phrasesSchema),
    systemPrompt: data.text('prompt/system.txt').trim(),
  };
  const gaps = [...scoringGaps(catalogue), ...garmentGaps(catalogue)];
  if (gaps.length === 0) return catalogue;
  throw new PermanentFailure(
    'InvalidInput',
    `The stylist's data files do not fit together:\n  ${gaps.join('\n  ')}`,
  );
}

function scoringGaps({ scoring, garments, phrases }: Catalogue): string[] {
  const rows = {
    bodyShape: Object.keys(scoring.bodyShapes),
    heightBand: scoring.heightBands.map(({ id }) => id),
  };
  const gaps: string[] = [];
  for (const [id, principle] of Object.entries(scoring.principles)) {
    // A value that no row scores is one the principle does not apply to, for instance print scale to a solid.
    const values = [...new Set(Object.values(principle.table).flatMap((row) => Object.keys(row)))];
    const words = garments.attributes[principle.attribute]?.words ?? {};
    const unknown = values.filter((value) => words[value] === undefined);
    if (unknown.length > 0)
      gaps.push(`scoring.json: ${id} scores unknown ${principle.attribute} ${unknown.join(', ')}`);
    for (const row of rows[principle.by]) {
      const missing = values.filter((value) => principle.table[row]?.[value] === undefined);
      if (missing.length > 0) gaps.push(`scoring.json: ${id}.${row} has no score for ${missing.join(', ')}`);
    }
    if (!phrases.principles[id]) gaps.push(`phrases.json: no phrases for principle "${id}"`);
  }
  for (const [id, goal] of Object.entries(scoring.goals)) {
    const stray = goal.principles.filter((principle) => !scoring.principles[principle]);
    if (stray.length > 0) gaps.push(`scoring.json: goal ${id} names unknown principle ${stray.join(', ')}`);
  }
  return gaps;
}

function garmentGaps({ garments }: Catalogue): string[] {
  const gaps: string[] = [];
  const check = (where: string, values: Record<string, string>) => {
    for (const [attribute, value] of Object.entries(values)) {
      if (garments.attributes[attribute]?.words[value] !== undefined) continue;
      gaps.push(`garments.json: ${where} has unknown ${attribute} "${value}"`);
    }
  };
  for (const [fabric, values] of Object.entries(garments.fabrics)) check(`fabric ${fabric}`, values);
  for (const [color, tone] of Object.entries(garments.colors)) check(`color ${color}`, { tone });
  for (const [attribute, { default: value }] of Object.entries(garments.attributes)) {
    check('default', { [attribute]: value });
  }
  for (const [id, category] of Object.entries(garments.categories)) {
    for (const length of category.lengths) check(id, { length });
    const fabrics = (category.fabrics ?? []).filter((fabric) => !garments.fabrics[fabric]);
    if (fabrics.length > 0) gaps.push(`garments.json: ${id} names unknown fabric ${fabrics.join(', ')}`);
    for (const [style, fixed] of Object.entries(category.styles)) {
      check(style, fixed);
      const stray = Object.keys(fixed).filter((attribute) => !category.attributes.includes(attribute));
      if (stray.length > 0) gaps.push(`garments.json: ${style} fixes ${stray.join(', ')}, which ${id} lacks`);
    }
  }
  return gaps;
}
