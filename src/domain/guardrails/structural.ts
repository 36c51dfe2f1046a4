import type { Json, JsonObject } from '../json.js';
import { findInvisible } from './confusables.js';
import { textsAt, valuesAt } from './fields.js';

type Scalar = string | number | boolean | null;

/** Checks on the shape of a document; each says what it demands. */
export type StructuralPredicate =
  /** At least one of the paths holds something. */
  | { readonly predicate: 'requireAny'; readonly paths: readonly string[] }
  /** Every path holds something. */
  | { readonly predicate: 'requireAll'; readonly paths: readonly string[] }
  /** Of the values at `path`, the first that is not in `skip` is not in `forbidden`. */
  | {
      readonly predicate: 'firstNot';
      readonly path: string;
      readonly skip: readonly Scalar[];
      readonly forbidden: readonly Scalar[];
    }
  /** Every value at the paths is one of `values`. */
  | { readonly predicate: 'allowed'; readonly paths: readonly string[]; readonly values: readonly Scalar[] }
  /** Texts have `min` to `max` characters, lists that many items. */
  | {
      readonly predicate: 'length';
      readonly paths: readonly string[];
      readonly min?: number;
      readonly max?: number;
    }
  /** No text holds characters that nobody can see; without paths, no field of the ruleset. */
  | { readonly predicate: 'noInvisibleCharacters'; readonly paths?: readonly string[] };

/** Where a document breaks a predicate. */
export interface StructuralFinding {
  readonly field: string;
  readonly span: readonly [start: number, end: number];
  readonly text: string;
}

/** The places where `document` breaks the predicate; empty when it holds. */
export function findStructuralBreaks(
  predicate: StructuralPredicate,
  document: JsonObject,
  fields: readonly string[],
): StructuralFinding[] {
  switch (predicate.predicate) {
    case 'requireAny':
      return predicate.paths.some((path) => holdsSomething(document, path))
        ? []
        : [{ field: predicate.paths.join(' or '), span: [0, 0], text: '' }];
    case 'requireAll':
      return predicate.paths
        .filter((path) => !holdsSomething(document, path))
        .map((path) => ({ field: path, span: [0, 0] as const, text: '' }));
    case 'firstNot': {
      const first = valuesAt(document, predicate.path).find(({ value }) => !includes(predicate.skip, value));
      return first && includes(predicate.forbidden, first.value) ? [whole(first.path, first.value)] : [];
    }
    case 'allowed':
      return predicate.paths
        .flatMap((path) => valuesAt(document, path))
        .filter(({ value }) => !includes(predicate.values, value))
        .map(({ path, value }) => whole(path, value));
    case 'length':
      return predicate.paths
        .flatMap((path) => valuesAt(document, path))
        .filter(
          ({ value }) => !hasLength(value, predicate.min ?? 0, predicate.max ?? Number.POSITIVE_INFINITY),
        )
        .map(({ path, value }) => whole(path, value));
    case 'noInvisibleCharacters':
      return (predicate.paths ?? fields)
        .flatMap((path) => textsAt(document, path))
        .flatMap(({ path, text }) => {
          const found = findInvisible(text);
          return found
            ? [
                {
                  field: path,
                  span: [found.start, found.end] as const,
                  text: text.slice(found.start, found.end),
                },
              ]
            : [];
        });
  }
}

function holdsSomething(document: JsonObject, path: string): boolean {
  return valuesAt(document, path).some(({ value }) => {
    if (value === null || value === undefined) return false;
    if (typeof value === 'string') return value.trim() !== '';
    if (typeof value === 'object') return Object.keys(value).length > 0;
    return true;
  });
}

function includes(values: readonly Scalar[], value: Json): boolean {
  return values.some((each) => each === value);
}

function hasLength(value: Json, min: number, max: number): boolean {
  const length = Array.isArray(value) ? value.length : typeof value === 'string' ? [...value].length : null;
  return length === null || (length >= min && length <= max);
}

function whole(path: string, value: Json): StructuralFinding {
  const text = typeof value === 'string' ? value : '';
  return { field: path, span: [0, text.length], text };
}
