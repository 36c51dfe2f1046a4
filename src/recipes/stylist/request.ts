import { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.js';
import { formatProblems, type InputProblem, parseInput } from '../../domain/parse-input.js';
import type { Catalogue } from './catalogue.js';
import type { Garment, Wearer } from './scoring.js';

/** A request with every gap filled from the garment's style and fabric, or from the attribute's default. */
export interface StylingRequest {
  readonly name: string | null;
  readonly wearer: Wearer;
  readonly garment: Garment;
  /** Attributes that the request left open and neither style nor fabric settled. */
  readonly assumed: readonly string[];
}

export type RequestReading =
  | { readonly request: StylingRequest }
  | { readonly problems: readonly InputProblem[] };

/** Reads a request for one catalogue; `read` lists every problem by path, `parse` throws them together. */
export function createRequestReader(catalogue: Catalogue): {
  read(input: unknown): RequestReading;
  parse(input: unknown): StylingRequest;
} {
  const schema = requestSchema(catalogue);
  const read = (input: unknown): RequestReading => {
    const parsed = parseInput(schema, input);
    if ('problems' in parsed) return parsed;
    const problems = categoryProblems(catalogue, parsed.value);
    return problems.length > 0 ? { problems } : { request: complete(catalogue, parsed.value) };
  };
  return {
    read,
    parse: (input) => {
      const reading = read(input);
      if ('request' in reading) return reading.request;
      throw new PermanentFailure(
        'InvalidInput',
        formatProblems('the styling request', reading.problems),
        reading.problems,
      );
    },
  };
}

function requestSchema({ scoring, garments }: Catalogue) {
  const attributes = Object.fromEntries(
    Object.entries(garments.attributes).map(([id, { words }]) => [id, z.enum(Object.keys(words)).optional()]),
  );
  // One line each: a line break could pass for a line of the prompt, such as another verdict.
  const line = (limit: number) =>
    z
      .string()
      .trim()
      .min(1)
      .max(limit)
      .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'one line of text');
  return z.strictObject({
    wearer: z.strictObject({
      name: line(60).optional(),
      heightInches: z.number().min(48).max(84).optional(),
      bodyShape: z.enum(Object.keys(scoring.bodyShapes)),
      goals: z
        .array(z.enum(Object.keys(scoring.goals)))
        .max(6)
        .default([]),
    }),
    garment: z.strictObject({
      name: line(120),
      category: z.enum(Object.keys(garments.categories)),
      style: z.string().optional(),
      fabric: z.enum(Object.keys(garments.fabrics)).optional(),
      color: z.enum(Object.keys(garments.colors)).optional(),
      attributes: z.strictObject(attributes).default({}),
    }),
  });
}

type RawRequest = z.infer<ReturnType<typeof requestSchema>>;

function categoryProblems({ garments }: Catalogue, { garment }: RawRequest): InputProblem[] {
  const category = garments.categories[garment.category];
  if (!category) return [];
  const problems: InputProblem[] = [];
  if (garment.style !== undefined && !category.styles[garment.style]) {
    problems.push({
      path: 'garment.style',
      found: JSON.stringify(garment.style),
      allowed: `${Object.keys(category.styles).join(', ')} (category ${garment.category}), or left out`,
      hint: null,
    });
  }
  for (const [attribute, value] of Object.entries(garment.attributes)) {
    if (value === undefined || category.attributes.includes(attribute)) continue;
    problems.push({
      path: `garment.attributes.${attribute}`,
      found: JSON.stringify(value),
      allowed: `for category ${garment.category}: ${category.attributes.join(', ')}`,
      hint: null,
    });
  }
  return problems;
}

function complete({ scoring, garments }: Catalogue, { wearer, garment }: RawRequest): StylingRequest {
  const category = garments.categories[garment.category] as (typeof garments.categories)[string];
  const settled: Record<string, string | undefined> = {
    ...(garment.fabric ? garments.fabrics[garment.fabric] : {}),
    ...(garment.color ? { tone: garments.colors[garment.color] } : {}),
    ...(garment.style ? category.styles[garment.style] : {}),
    ...(garment.attributes as Record<string, string | undefined>),
  };
  const fallback = (attribute: string): string => {
    const usual = garments.attributes[attribute]?.default ?? '';
    const [firstLength = usual] = category.lengths;
    return attribute === 'length' && !category.lengths.includes(usual) ? firstLength : usual;
  };
  return {
    name: wearer.name ?? null,
    wearer: {
      heightInches: wearer.heightInches ?? scoring.defaultHeightInches,
      bodyShape: wearer.bodyShape,
      goals: [...new Set(wearer.goals)],
    },
    garment: {
      name: garment.name,
      category: garment.category,
      style: garment.style ?? garment.category.replaceAll('_', '-'),
      fabric: garment.fabric ?? null,
      color: garment.color ?? null,
      attributes: Object.fromEntries(
        category.attributes.map((attribute) => [attribute, settled[attribute] ?? fallback(attribute)]),
      ),
    },
    assumed: category.attributes.filter((attribute) => settled[attribute] === undefined),
  };
}
