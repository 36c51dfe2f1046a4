import { errorFunction, probit, sampleCorrelation } from 'simple-statistics';

export type Pair = readonly [wanted: number, given: number];
export type Interval = readonly [low: number, high: number];

/**
 * Wilson's score interval for a rate: sensible at 0, at 1 and for few trials. Null without trials.
 * Both ends lie within 0 and 1 and the observed rate lies between them.
 */
export function wilsonInterval(successes: number, trials: number, confidence: number): Interval | null {
  if (!(trials > 0) || !(successes >= 0) || successes > trials) return null;
  const rate = successes / trials;
  const z = twoSidedQuantile(confidence);
  const denominator = 1 + (z * z) / trials;
  const centre = (rate + (z * z) / (2 * trials)) / denominator;
  const half = (z / denominator) * Math.sqrt((rate * (1 - rate)) / trials + (z * z) / (4 * trials * trials));
  return [Math.min(rate, Math.max(0, centre - half)), Math.max(rate, Math.min(1, centre + half))];
}

/** The highest true rate that `trials` answers without a single event leave plausible. */
export function zeroEventsUpperBound(trials: number, confidence: number): number {
  return trials > 0 ? 1 - (1 - confidence) ** (1 / trials) : 1;
}

/** How many standard errors either side hold `confidence` of a normal distribution: 1.96 for 0.95. */
export function twoSidedQuantile(confidence: number): number {
  const probability = (1 + confidence) / 2;
  // The library's probit is good to three digits; Newton's steps on its error function give seven.
  let z = probit(probability);
  for (let step = 0; step < 4; step++) {
    const cumulative = 0.5 * (1 + errorFunction(z / Math.SQRT2));
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    z -= (cumulative - probability) / density;
  }
  return z;
}

/** The smallest value that at least `share` of all values do not exceed; NaN where there are none. */
export function orderStatistic(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Pearson's correlation of what was wanted and what was given, -1 to 1. Null where it cannot be told: fewer
 * than three pairs, a number that is none, or wanted values that are all the same. 0 where the given values are
 * all the same: they say nothing about the wanted ones.
 */
export function correlation(pairs: readonly Pair[]): number | null {
  const wanted = pairs.map(([value]) => value);
  const given = pairs.map(([, value]) => value);
  if (pairs.length < 3 || ![...wanted, ...given].every(Number.isFinite)) return null;
  const isConstant = (values: number[]) => values.every((value) => value === values[0]);
  if (isConstant(wanted)) return null;
  return isConstant(given) ? 0 : sampleCorrelation(wanted, given);
}
