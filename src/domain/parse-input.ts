import { closest } from 'fastest-levenshtein';
import { z } from 'zod';

/** One thing wrong with an input, in terms a person can act on. */
export interface InputProblem {
  /** Dotted path, or `(input)` for the whole. */
  readonly path: string;
  readonly found: string;
  readonly allowed: string;
  readonly hint: string | null;
  /** Says it all, where a rule has its own words for what it found and allows. */
  readonly sentence?: string;
}

export type Parsed<T> = { readonly value: T } | { readonly problems: readonly InputProblem[] };

/** Checks an input against a schema and says, for each fault, where it is, what was found and what is allowed. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): Parsed<T> {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return { value: result.data };
  return { problems: result.error.issues.flatMap((issue) => toProblems(schema, issue)) };
}

/** All problems as one message, the first line naming how many there are. */
export function formatProblems(subject: string, problems: readonly InputProblem[]): string {
  const lines = problems.map(({ path, found, allowed, hint, sentence }) => {
    if (sentence) return `  ${path}: ${sentence}`;
    const advice = hint ? ` Did you mean "${hint}"?` : '';
    return `  ${path}: found ${found}; allowed: ${allowed}.${advice}`;
  });
  return `InvalidInput: ${subject} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}.\n${lines.join('\n')}`;
}

/** The allowed name nearest to the one found, when near enough to be a slip of the pen. */
export function didYouMean(found: string, allowed: readonly string[]): string | null {
  if (allowed.length === 0) return null;
  const nearest = closest(found.toLowerCase(), allowed as string[]);
  const shared = [...nearest].filter((letter) => found.toLowerCase().includes(letter)).length;
  const isNear = Math.abs(nearest.length - found.length) <= 3 && shared >= Math.ceil(nearest.length * 0.6);
  return isNear || nearest.startsWith(found.toLowerCase()) ? nearest : null;
}

function toProblems(schema: z.ZodType, issue: z.core.$ZodIssue): InputProblem[] {
  const path = issue.path.length === 0 ? '(input)' : issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(schema, issue.path, issue.input);
    return issue.keys.map((key) => ({
      path: issue.path.length === 0 ? key : `${path}.${key}`,
      found: 'an unknown field',
      allowed: allowed.join(', ') || 'no field at all',
      hint: didYouMean(key, allowed),
    }));
  }
  if (issue.code === 'custom' && issue.params?.isSentence === true) {
    return [{ path, found: quote(issue.input), allowed: '', hint: null, sentence: issue.message }];
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    const hint = typeof issue.input === 'string' ? didYouMean(issue.input, allowed) : null;
    return [{ path, found: quote(issue.input), allowed: allowed.join(', '), hint }];
  }
  if (issue.code === 'invalid_union' && issue.discriminator) {
    const key = issue.discriminator;
    const parent = issue.path.at(-1) === key ? issue.path.slice(0, -1) : issue.path;
    const allowed = discriminatorValues(schema, parent, key);
    const value = (issue.input as Record<string, unknown> | undefined)?.[key];
    const hint = typeof value === 'string' ? didYouMean(value, allowed) : null;
    return [{ path, found: quote(value), allowed: allowed.join(', '), hint }];
  }
  return [{ path, found: quote(issue.input), allowed: expectation(issue), hint: null }];
}

/** What zod expects, in words; its messages also repeat what was found. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_type') return issue.message;
  if (issue.path.length === 0 && issue.expected === 'object') return "one JSON object, as in --input '{…}'";
  return `a value of type ${issue.expected}`;
}

function quote(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** The fields that an object may have; of a union, those of the option that the input names by `kind`. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[], input: unknown): string[] {
  const kind = (input as { kind?: unknown } | undefined)?.kind;
  const found = schemasAt(schema, path);
  const meant = found.filter((each) => literalsOf(each, 'kind').includes(String(kind)));
  const keys = (meant.length > 0 ? meant : found).flatMap((each) =>
    each instanceof z.ZodObject ? Object.keys(each.shape) : [],
  );
  return [...new Set(keys)];
}

function discriminatorValues(schema: z.ZodType, path: readonly PropertyKey[], key: string): string[] {
  return schemasAt(schema, path).flatMap((found) => literalsOf(found, key));
}

function literalsOf(schema: z.ZodType, key: string): string[] {
  const member = schema instanceof z.ZodObject ? schema.shape[key] : undefined;
  return member instanceof z.ZodLiteral ? [...member.values].map(String) : [];
}

/** Every schema that may apply at a path: several below a union. */
function schemasAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType[] {
  const unwrapped = unwrap(schema);
  const options =
    unwrapped instanceof z.ZodUnion || unwrapped instanceof z.ZodDiscriminatedUnion
      ? (unwrapped.options as z.ZodType[]).map(unwrap)
      : [unwrapped];
  const [head, ...rest] = path;
  if (head === undefined) return options;
  return options.flatMap((option) => {
    if (option instanceof z.ZodArray) return schemasAt(option.element as z.ZodType, rest);
    const member = option instanceof z.ZodObject ? option.shape[head as string] : undefined;
    return member ? schemasAt(member as z.ZodType, rest) : [];
  });
}

function unwrap(schema: z.ZodType): z.ZodType {
  let current = schema;
  while (
    current instanceof z.ZodOptional ||
    current instanceof z.ZodDefault ||
    current instanceof z.ZodNullable
  ) {
    current = current.unwrap() as z.ZodType;
  }
  return current;
}
