import { PermanentFailure } from '../failures.js';

export type SqlScalar = string | number | boolean | null;
/** A list becomes a Postgres array, for `= ANY (:name)`. */
export type SqlValue = SqlScalar | readonly SqlScalar[];

export interface PositionalQuery {
  /** The query with `$1`, `$2`, … and without a semicolon at its end. */
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** What is text to SQL, not a parameter: strings, names, comments and casts. A parameter comes last. */
const tokens =
  /\bE'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$)[\s\S]*?\1|--[^\n]*|\/\*[\s\S]*?\*\/|::|:([a-z_]\w*)/gi;

/**
 * Turns `:name` into `$1`, the same name into the same number. Throws `InvalidInput` for a name without a value
 * and a value without a name; `subject` says what the query is.
 */
export function toPositional(
  query: string,
  parameters: Readonly<Record<string, SqlValue>>,
  subject: string,
): PositionalQuery {
  const names: string[] = [];
  const text = query.replace(tokens, (token: string, _tag: string | undefined, name: string | undefined) => {
    if (name === undefined) return token;
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const given = Object.keys(parameters);
  const missing = names.filter((name) => !given.includes(name));
  const unused = given.filter((name) => !names.includes(name));
  if (missing.length > 0 || unused.length > 0) {
    const found = [
      ...missing.map((name) => `no value for :${name}`),
      ...unused.map((name) => `a value for "${name}"`),
    ];
    throw new PermanentFailure(
      'InvalidInput',
      `dataset.source.parameters: found ${found.join(', ')}; allowed: a value for each parameter of ${subject} (${names.map((name) => `:${name}`).join(', ') || 'it has none'}).`,
    );
  }
  return {
    text: text.replace(/[\s;]+$/, ''),
    values: names.map((name) => parameters[name] as SqlValue),
  };
}
