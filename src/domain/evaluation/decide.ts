import type { Metrics, Verdict } from './evaluation.js';
import type { CheckResult, CheckStatus, GateCheck, GatePolicy } from './gate-policy.js';
import { type Interval, wilsonInterval, zeroEventsUpperBound } from './statistics.js';

export interface GateDecision {
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
}

/** Shares whatever the recipe: they have a Wilson interval, and `== 1` cannot come true again. */
const builtInRates = ['raw.passRate', 'json.valid'];

/** Counts that only grow. */
const builtInCounts = ['raw.blocks', 'raw.warnings'];

/**
 * Applies a gate policy to metrics: a pure function, so that a verdict can be recomputed from its report.
 * Comparisons are literal on the measured value. `rates` names metrics that are shares of answers.
 *
 * The verdict follows the critical checks: one that fails rejects; else one without data (missing, NaN,
 * infinite) is an `error`; else one with too few answers is `inconclusive`. Plain checks are reported only,
 * but a policy of which nothing at all could be measured is an `error`.
 */
export function decideGate(
  policy: GatePolicy,
  metrics: Metrics,
  samplesByMetric: Readonly<Record<string, number>>,
  rates: readonly string[] = [],
): GateDecision {
  const checks = policy.checks.map((check) =>
    applyCheck(check, metrics, samplesByMetric, policy.confidence, [...builtInRates, ...rates]),
  );
  return { verdict: verdictOf(checks), checks };
}

function verdictOf(checks: readonly CheckResult[]): Verdict {
  const critical = checks.filter((check) => check.critical);
  if (critical.some((check) => check.status === 'fail')) return 'failed';
  if (critical.some((check) => check.status === 'no-data')) return 'error';
  if (checks.every((check) => check.status === 'no-data')) return 'error';
  if (critical.some((check) => check.status === 'inconclusive')) return 'inconclusive';
  return 'passed';
}

function applyCheck(
  check: GateCheck,
  metrics: Metrics,
  samplesByMetric: Readonly<Record<string, number>>,
  confidence: number,
  rates: readonly string[],
): CheckResult {
  const measured = Object.hasOwn(metrics, check.metric) ? metrics[check.metric] : null;
  const samples = Object.hasOwn(samplesByMetric, check.metric) ? (samplesByMetric[check.metric] ?? 0) : 0;
  const value = typeof measured === 'number' && Number.isFinite(measured) ? measured : null;
  const status = statusOf(check, value, samples, rates);
  const interval =
    value !== null && rates.includes(check.metric) && value >= 0 && value <= 1
      ? wilsonInterval(value * samples, samples, confidence)
      : null;
  return {
    metric: check.metric,
    op: check.op,
    threshold: check.value,
    value,
    interval,
    samples,
    critical: check.critical,
    status,
    explanation: explain(check, { value, samples, status, interval, measured, confidence }),
  };
}

function statusOf(
  check: GateCheck,
  value: number | null,
  samples: number,
  rates: readonly string[],
): CheckStatus {
  if (value === null || !(samples > 0)) return 'no-data';
  const holds = compare(value, check.op, check.value);
  const tooFew = check.minimumSamples !== undefined && samples < check.minimumSamples;
  if (!tooFew) return holds ? 'pass' : 'fail';
  return !holds && !canRecover(check, rates) ? 'fail' : 'inconclusive';
}

/** Whether more answers could still turn a check that does not hold: a counted block stays counted. */
function canRecover(check: GateCheck, rates: readonly string[]): boolean {
  const upper = check.op === '<' || check.op === '<=';
  const lower = check.op === '>' || check.op === '>=';
  if (builtInCounts.includes(check.metric)) return !(upper || (check.op === '==' && check.value === 0));
  if (check.metric.endsWith('.max') || check.metric === 'latency.max_s') return !upper;
  if (check.metric.endsWith('.min')) return !lower;
  return !(rates.includes(check.metric) && check.op !== '<' && check.op !== '<=' && check.value === 1);
}

function compare(value: number, op: GateCheck['op'], threshold: number): boolean {
  switch (op) {
    case '==':
      return value === threshold;
    case '>':
      return value > threshold;
    case '>=':
      return value >= threshold;
    case '<':
      return value < threshold;
    case '<=':
      return value <= threshold;
  }
}

const demands: Readonly<Record<GateCheck['op'], string>> = {
  '==': 'exactly',
  '>': 'more than',
  '>=': 'at least',
  '<': 'less than',
  '<=': 'at most',
};

function explain(
  check: GateCheck,
  found: {
    value: number | null;
    samples: number;
    status: CheckStatus;
    interval: Interval | null;
    measured: number | null | undefined;
    confidence: number;
  },
): string {
  const { value, samples, status, interval, measured, confidence } = found;
  const demand = `${demands[check.op]} ${check.value} is required`;
  if (status === 'no-data') {
    const reason = value !== null ? 'no answers to measure it on' : whyMissing(measured);
    return `${check.metric} could not be measured: ${reason}; ${demand}.`;
  }
  const answers = `${samples} ${samples === 1 ? 'answer' : 'answers'}`;
  const is = `${check.metric} is ${formatBeside(value ?? 0, check.value)} on ${answers}; ${demand}`;
  if (status === 'inconclusive') return `${is}, on at least ${check.minimumSamples} answers.`;
  const percent = `${formatNumber(confidence * 100)} %`;
  if (builtInCounts.includes(check.metric) && value === 0) {
    const bound = formatNumber(100 * zeroEventsUpperBound(samples, confidence));
    return `${is}; with ${percent} confidence fewer than ${bound} % of all answers would count.`;
  }
  if (!interval) return `${is}.`;
  const [low, high] = interval.map((bound) => formatBeside(bound, check.value));
  return `${is}; ${percent} interval ${low} to ${high}.`;
}

function whyMissing(measured: number | null | undefined): string {
  if (measured === undefined || measured === null) return 'no value was reported';
  return `its value is ${String(measured)}`;
}

/** Four significant digits, as many as it takes to tell the value from the threshold. */
function formatBeside(value: number, threshold: number): string {
  const short = formatNumber(value);
  return Number(short) === threshold && value !== threshold ? String(value) : short;
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
