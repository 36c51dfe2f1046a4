import { z } from 'zod';

const lexiconName = /^[A-Z][A-Z0-9_]*$/;

const words = z.array(z.string().min(1)).min(1);

const lexiconSchema = z.union([
  words,
  /** `inflect` adds regular forms: plurals, verb forms, or comparatives. */
  z.strictObject({ words, inflect: z.enum(['noun', 'verb', 'adjective']) }),
]);

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const whenSchema = z.record(z.string(), z.union([scalar, z.array(scalar).min(1)]));

const within = z.number().int().min(1).max(10).default(1);

const unlessSchema = z.union([
  z.strictObject({ followedBy: z.string().min(1), within }),
  z.strictObject({ precededBy: z.string().min(1), within }),
  /** The match describes this noun: it follows in the same noun phrase, as in "wide leg pants". */
  z.strictObject({ headNoun: z.string().min(1), within }),
  z.strictObject({ contains: z.string().min(1) }),
]);

const documentExample = z.strictObject({
  document: z.record(z.string(), z.json()),
  context: z.record(z.string(), z.json()).default({}),
});

const header = {
  id: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9._-]*$/, 'must be letters, digits, dots and dashes, like "R1.too"'),
  rule: z.number().int().nonnegative(),
  severity: z.enum(['BLOCK', 'WARN', 'SHADOW']),
  message: z.string().min(1),
  suggestion: z.string().min(1),
  onFail: z.enum(['regenerate', 'repair', 'log']).optional(),
  when: whenSchema.default({}),
};

const patternRuleSchema = z.strictObject({
  ...header,
  kind: z.literal('pattern'),
  match: z.array(z.string().min(1)).min(1),
  unless: z.array(unlessSchema).default([]),
  views: z
    .array(z.enum(['plain', 'skeleton', 'leet', 'collapsed']))
    .min(1)
    .default(['plain', 'skeleton', 'leet', 'collapsed']),
  examples: z.strictObject({
    hit: z.array(z.union([z.string(), documentExample])).min(1),
    miss: z.array(z.union([z.string(), documentExample])).min(1),
  }),
});

const paths = z.array(z.string().min(1)).min(1);

/** The structural predicates and their settings; `structural.ts` says what each demands. */
const predicateSchemas = [
  z.strictObject({ predicate: z.literal('requireAny'), paths }),
  z.strictObject({ predicate: z.literal('requireAll'), paths }),
  z.strictObject({
    predicate: z.literal('firstNot'),
    path: z.string().min(1),
    skip: z.array(scalar).default([]),
    forbidden: z.array(scalar).min(1),
  }),
  z.strictObject({ predicate: z.literal('allowed'), paths, values: z.array(scalar).min(1) }),
  z.strictObject({
    predicate: z.literal('length'),
    paths,
    min: z.number().int().nonnegative().optional(),
    max: z.number().int().nonnegative().optional(),
  }),
  z.strictObject({ predicate: z.literal('noInvisibleCharacters'), paths: paths.optional() }),
] as const;

const structuralHeader = {
  ...header,
  kind: z.literal('structural'),
  examples: z.strictObject({ hit: z.array(documentExample).min(1), miss: z.array(documentExample).min(1) }),
};

const structuralRuleSchema = z.discriminatedUnion('predicate', [
  predicateSchemas[0].extend(structuralHeader),
  predicateSchemas[1].extend(structuralHeader),
  predicateSchemas[2].extend(structuralHeader),
  predicateSchemas[3].extend(structuralHeader),
  predicateSchemas[4].extend(structuralHeader),
  predicateSchemas[5].extend(structuralHeader),
]);

/** The file format of a ruleset, described in `docs/guardrails.md`. */
export const rulesetSchema = z.strictObject({
  schema: z.literal('ruleset/v1'),
  id: z.string().min(1),
  version: z.string().min(1),
  locale: z.string().min(2),
  fields: z.array(z.string().min(1)).min(1),
  lexicons: z
    .record(z.string().regex(lexiconName, 'must be capitals, like "BODY"'), lexiconSchema)
    .default({}),
  strong: z.array(z.string()).default([]),
  rules: z.array(z.discriminatedUnion('kind', [patternRuleSchema, structuralRuleSchema])).min(1),
});

export type RulesetData = z.infer<typeof rulesetSchema>;
export type RuleData = RulesetData['rules'][number];
export type PatternRuleData = Extract<RuleData, { kind: 'pattern' }>;
export type UnlessData = PatternRuleData['unless'][number];
