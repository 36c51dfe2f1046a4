import type { ResolvedRunSpec, RunSpec } from '../../domain/run-spec.js';

/** Real seconds that a deadline keeps at least, because real work is done before it, and at most. */
const bounds: Readonly<Record<string, { readonly least: number; readonly most: number }>> = {
  training: { least: 60, most: 180 },
  deployment: { least: 45, most: 90 },
  validation: { least: 300, most: 600 },
};
const otherBounds = { least: 60, most: 180 };
const secondsIn: Readonly<Record<string, number>> = { Hours: 3600, Minutes: 60 };

/** One deadline of the run spec, and what the rehearsal makes of it. */
export interface ShortenedDeadline {
  readonly name: string;
  readonly seconds: number;
  readonly shortenedSeconds: number;
}

/**
 * A run's deadlines pass in real time while the local cloud's clock runs faster: so they are shortened with
 * it, within bounds. Not that for a person's approval: people are as fast as ever.
 */
export function shortenDeadlines(
  deadlines: ResolvedRunSpec['deadlines'],
  clockScale: number,
): readonly ShortenedDeadline[] {
  return Object.entries(deadlines).flatMap(([name, value]) => {
    const [, what = '', unit = ''] = /^(.*)(Hours|Minutes)$/.exec(name) ?? [];
    const unitSeconds = secondsIn[unit];
    if (!unitSeconds || what === 'approval') return [];
    const seconds = value * unitSeconds;
    const { least, most } = bounds[what] ?? otherBounds;
    const shortenedSeconds = Math.min(Math.max(seconds / clockScale, least), most, seconds);
    return [{ name, seconds, shortenedSeconds }];
  });
}

/** The run spec as it is played: deadlines shortened, looks as often as a rehearsal needs them. */
export function toRehearsedSpec(spec: RunSpec, shortened: readonly ShortenedDeadline[]): RunSpec {
  const { waiting: _, ...rest } = spec;
  const deadlines = shortened.map(({ name, shortenedSeconds }) => {
    const unit = name.endsWith('Hours') ? 3600 : 60;
    return [name, shortenedSeconds / unit];
  });
  return { ...rest, deadlines: { ...spec.deadlines, ...Object.fromEntries(deadlines) } };
}
