import { didYouMean, type InputProblem } from './parse-input.js';

/** As people write it. */
export type HyperparameterValue = string | number | boolean;

export interface HyperparameterRange {
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** Null where a job without it has no such value. */
  readonly default: number | null;
}

/** A hyperparameter that is text, or true or false. What is left out is left to the trainer. */
export interface HyperparameterText {
  readonly pattern: RegExp;
  /** The pattern in words. */
  readonly allowed: string;
  readonly default: null;
}

/**
 * Completes and checks hyperparameters. `otherwise` supplies what has no default; what stays null is left out. Values
 * come back as text: numbers as plain decimal strings.
 */
export function resolveInRanges<Range extends HyperparameterRange | HyperparameterText>(
  ranges: Readonly<Record<string, Range>>,
  given: Readonly<Record<string, HyperparameterValue>>,
  otherwise: (range: Range) => number | null = () => null,
): { readonly values: Record<string, string>; readonly problems: readonly InputProblem[] } {
  const names = Object.keys(ranges);
  const problems: InputProblem[] = Object.keys(given)
    .filter((name) => !names.includes(name))
    .map((name) => ({
      path: `training.hyperparameters.${name}`,
      found: 'an unknown hyperparameter',
      allowed: names.join(', '),
      hint: didYouMean(name, names),
    }));
  const values: Record<string, string> = {};
  for (const [name, range] of Object.entries(ranges)) {
    const value = given[name] ?? range.default ?? otherwise(range);
    if (value === null) continue;
    const allowed = findBreach(range, value);
    if (allowed !== null) {
      const path = `training.hyperparameters.${name}`;
      problems.push({ path, found: JSON.stringify(value), allowed, hint: null });
    }
    values[name] = 'pattern' in range ? String(value) : String(Number(value));
  }
  return { values, problems };
}

/** What is allowed, in words; null where the value is. */
function findBreach(
  range: HyperparameterRange | HyperparameterText,
  value: HyperparameterValue,
): string | null {
  if ('pattern' in range) return range.pattern.test(String(value)) ? null : range.allowed;
  const { min, max, integer } = range;
  const isNumber = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '');
  const number = isNumber ? Number(value) : Number.NaN;
  if (number >= min && number <= max && (!integer || Number.isInteger(number))) return null;
  const words = min === max ? `${min} only` : `${min} to ${max}`;
  return integer && min !== max ? `whole numbers from ${words}` : words;
}
