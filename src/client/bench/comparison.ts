import { medianSorted } from 'simple-statistics';

/** The middle and the ends of what the repetitions gave. */
export interface Spread {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** Two sides measured in turn, and what they come to as a ratio: each repetition's own, then their spread. */
export interface Comparison {
  readonly name: string;
  readonly ours: string;
  readonly against: string;
  readonly unit: string;
  /** Which way the ratio would be better. */
  readonly better: 'higher' | 'lower';
  readonly repetitions: number;
  readonly oursMeasured: Spread;
  readonly againstMeasured: Spread;
  /** Ours divided by the other side. */
  readonly ratio: Spread;
  /** What else was counted, in sentences. */
  readonly remarks: readonly string[];
}

export interface Measured {
  readonly ours: number;
  readonly against: number;
}

export function compare(
  header: Pick<Comparison, 'name' | 'ours' | 'against' | 'unit' | 'better'>,
  measured: readonly Measured[],
  remarks: readonly string[] = [],
): Comparison {
  return {
    ...header,
    repetitions: measured.length,
    oursMeasured: spreadOf(measured.map(({ ours }) => ours)),
    againstMeasured: spreadOf(measured.map(({ against }) => against)),
    ratio: spreadOf(measured.map(({ ours, against }) => ours / against)),
    remarks,
  };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: medianSorted(sorted),
    minimum: sorted[0] ?? Number.NaN,
    maximum: sorted.at(-1) ?? Number.NaN,
  };
}

/**
 * Runs every side once in each repetition, a different one first each time, so that whatever else the
 * machine does in the meantime falls on all sides alike. Each side returns its measurement.
 */
export async function inTurn<Side extends string>(
  sides: Readonly<Record<Side, (repetition: number) => Promise<number> | number>>,
  repetitions: number,
  signal: AbortSignal,
): Promise<Record<Side, number>[]> {
  const names = Object.keys(sides) as Side[];
  const results: Record<Side, number>[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const first = repetition % names.length;
    const result = {} as Record<Side, number>;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      signal.throwIfAborted();
      result[name] = await sides[name](repetition);
    }
    results.push(result);
  }
  return results;
}

export async function secondsOf(work: () => Promise<unknown> | unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
