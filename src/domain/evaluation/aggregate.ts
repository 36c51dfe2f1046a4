import { max, mean, min, sum } from 'simple-statistics';
import type { Metrics, ScoredAnswer } from './evaluation.js';
import { correlation, orderStatistic, type Pair } from './statistics.js';

/** What aggregation reads of a scored answer. */
export type MeasuredAnswer = Pick<
  ScoredAnswer,
  'score' | 'violations' | 'latencyMs' | 'inputTokens' | 'outputTokens'
>;

export interface AggregatedMetrics {
  readonly metrics: Metrics;
  /** On how many answers each metric rests. */
  readonly samples: Readonly<Record<string, number>>;
  /** Metrics that are shares of yes-or-no measurements, and so have a Wilson interval. */
  readonly rates: readonly string[];
}

/**
 * Means of every measurement that the recipe takes, with `<key>.min` and `<key>.max`; `<key>.correlation` of
 * its pairs; and the built-ins:
 * `answers`, `raw.blocks`, `raw.warnings`, `raw.passRate`, `json.valid`, `latency.mean_s`, `latency.p95_s`,
 * `latency.max_s`, and `tokens.input` and `tokens.output` in total. Where both define a name, the built-in
 * wins. A measurement that is NaN or infinite makes its metric null: nothing is averaged away.
 */
export function aggregateMetrics(answers: readonly MeasuredAnswer[]): AggregatedMetrics {
  const metrics: Record<string, number | null> = {};
  const samples: Record<string, number> = {};
  const rates: string[] = [];
  const record = (name: string, values: readonly number[], aggregate: (values: number[]) => number) => {
    metrics[name] = values.length > 0 && values.every(Number.isFinite) ? aggregate([...values]) : null;
    samples[name] = values.length;
  };

  for (const name of metricNames(answers)) {
    const values = answers.flatMap((answer) => answer.score.metrics[name] ?? []);
    record(name, values, mean);
    record(`${name}.min`, values, min);
    record(`${name}.max`, values, max);
    if (values.length > 0 && values.every((value) => value === 0 || value === 1)) rates.push(name);
  }

  for (const [name, pairs] of pairsByName(answers)) {
    metrics[`${name}.correlation`] = correlation(pairs);
    samples[`${name}.correlation`] = pairs.length;
  }

  const countOf = (severity: string) =>
    answers.map((answer) => answer.violations.filter((each) => each.severity === severity).length);
  record('raw.blocks', countOf('BLOCK'), sum);
  record('raw.warnings', countOf('WARN'), sum);
  record(
    'raw.passRate',
    answers.map((answer) => (passes(answer) ? 1 : 0)),
    mean,
  );
  record(
    'json.valid',
    answers.map((answer) => (answer.score.document === null ? 0 : 1)),
    mean,
  );
  const latencies = answers.map((answer) => (answer.latencyMs >= 0 ? answer.latencyMs / 1000 : Number.NaN));
  record('latency.mean_s', latencies, mean);
  record('latency.p95_s', latencies, (values) => orderStatistic(values, 0.95));
  record('latency.max_s', latencies, max);
  record(
    'tokens.input',
    answers.map((answer) => answer.inputTokens),
    sum,
  );
  record(
    'tokens.output',
    answers.map((answer) => answer.outputTokens),
    sum,
  );
  metrics.answers = answers.length;
  samples.answers = answers.length;
  return { metrics, samples, rates: [...new Set([...rates, 'raw.passRate', 'json.valid'])] };
}

/** A raw answer passes when it can be read and nothing in it blocks. */
export function passes(answer: Pick<MeasuredAnswer, 'score' | 'violations'>): boolean {
  return answer.score.document !== null && !answer.violations.some((each) => each.severity === 'BLOCK');
}

function pairsByName(answers: readonly MeasuredAnswer[]): Map<string, Pair[]> {
  const byName = new Map<string, Pair[]>();
  for (const { score } of answers) {
    for (const [name, pair] of Object.entries(score.pairs ?? {})) {
      byName.set(name, [...(byName.get(name) ?? []), pair]);
    }
  }
  return byName;
}

function metricNames(answers: readonly MeasuredAnswer[]): string[] {
  return [...new Set(answers.flatMap((answer) => Object.keys(answer.score.metrics)))].sort();
}
