import { didYouMean, type InputProblem } from './parse-input.js';

export interface HyperparameterRange {
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** Null where a job without it has no such value. */
  readonly default: number | null;
}

/**
 * Completes and checks hyperparameters. `otherwise` supplies what has no default; what stays null is left out. Values
 * come back as plain decimal strings.
 */
export function resolveInRanges<Range extends HyperparameterRange>(
  ranges: Readonly<Record<string, Range>>,
  given: Readonly<Record<string, string | number>>,
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
    const problem = checkRange(name, range, value);
    if (problem) problems.push(problem);
    values[name] = String(Number(value));
  }
  return { values, problems };
}

function checkRange(
  name: string,
  { min, max, integer }: HyperparameterRange,
  value: string | number,
): InputProblem | null {
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
  if (number >= min && number <= max && (!integer || Number.isInteger(number))) return null;
  const range = min === max ? `${min} only` : `${min} to ${max}`;
  return {
    path: `training.hyperparameters.${name}`,
    found: JSON.stringify(value),
    allowed: integer && min !== max ? `whole numbers from ${range}` : range,
    hint: null,
  };
}
