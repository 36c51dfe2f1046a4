import { z } from 'zod';

/** Checks what a person wrote; one error names every place, what was found there and what is allowed. */
export function parseInput<Value>(schema: z.ZodType<Value>, input: unknown, subject: string): Value {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => describe(schema, issue));
  const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`;
  throw new InvalidInput(`${subject} has ${count}.\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** Reads JSON, or says that it is none. */
export function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidInput(`${subject} is not JSON: ${(error as Error).message}.`);
  }
}

export class InvalidInput extends Error {}

/** What was found, what is allowed, and the name that was probably meant. */
export function refusal(found: unknown, allowed: readonly string[]): string {
  const meant = typeof found === 'string' ? nearest(found, allowed) : null;
  return `found ${quote(found)}; allowed: ${allowed.join(', ')}.${meant ? ` Did you mean "${meant}"?` : ''}`;
}

/** The name with the fewest letters to change, unless that is more than a third of them. */
function nearest(found: string, names: readonly string[]): string | null {
  const distances = names.map((name) => ({
    name,
    distance: distance(found.toLowerCase(), name.toLowerCase()),
  }));
  const [best] = distances.sort((one, other) => one.distance - other.distance);
  return best && best.distance <= Math.max(2, best.name.length / 3) ? best.name : null;
}

function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= other.length; at += 1) {
      const change = (row[at - 1] ?? 0) + (letter === other[at - 1] ? 0 : 1);
      next.push(Math.min(change, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function describe(schema: z.ZodType, issue: z.core.$ZodIssue): string[] {
  const path = issue.path.length === 0 ? '(input)' : issue.path.join('.');
  if (issue.code === 'custom') return [`${path}: ${issue.message}`];
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(schema, issue.path, issue.input);
    return issue.keys.map((key) => `${path}: unknown field; ${refusal(key, allowed)}`);
  }
  if (issue.code === 'invalid_value') return [`${path}: ${refusal(issue.input, issue.values.map(String))}`];
  if (issue.code === 'invalid_union' && issue.discriminator) {
    const key = issue.discriminator;
    const input = issue.input as Record<string, unknown>;
    const parent = issue.path.at(-1) === key ? issue.path.slice(0, -1) : issue.path;
    const allowed = schemasAt(schema, parent).flatMap((each) => literalsOf(each, key));
    return [`${path}: ${refusal(input?.[key], allowed)}`];
  }
  const expected = issue.code === 'invalid_type' ? `a value of type ${issue.expected}` : issue.message;
  return [`${path}: found ${quote(issue.input)}; allowed: ${expected}.`];
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
  return (meant.length > 0 ? meant : found).flatMap((each) =>
    each instanceof z.ZodObject ? Object.keys(each.shape) : [],
  );
}

function literalsOf(schema: z.ZodType, key: string): string[] {
  const member = schema instanceof z.ZodObject ? schema.shape[key] : undefined;
  return member instanceof z.ZodLiteral ? [...member.values].map(String) : [];
}

function schemasAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType[] {
  const [head, ...rest] = path;
  return optionsOf(schema).flatMap((option) => {
    if (head === undefined) return [option];
    if (option instanceof z.ZodArray) return schemasAt(option.element as z.ZodType, rest);
    const member = option instanceof z.ZodObject ? option.shape[String(head)] : undefined;
    return member ? schemasAt(member as z.ZodType, rest) : [];
  });
}

function optionsOf(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return optionsOf(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).flatMap(optionsOf);
  return [schema];
}
