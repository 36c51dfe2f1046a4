import { passes } from '../../../domain/evaluation/aggregate.js';
import type { Metrics, ScoredAnswer, Verdict } from '../../../domain/evaluation/evaluation.js';
import type { CheckResult } from '../../../domain/evaluation/gate-policy.js';
import { orderStatistic } from '../../../domain/evaluation/statistics.js';
import type { Severity, Violation } from '../../../domain/guardrails/ruleset.js';
import { isJsonObject, type Json } from '../../../domain/json.js';
import type { LossCurve } from '../../../domain/loss-curve.js';
import type { ParityRow } from '../../../domain/parity.js';

/** What was judged, on what, by what: the head of a report. */
export interface ReportHeader {
  readonly model: {
    readonly name: string;
    readonly version: number | null;
    readonly modelId: string;
    readonly deploymentId: string | null;
  };
  readonly recipe: { readonly name: string; readonly hash: string };
  readonly dataset: { readonly sha256: string; readonly uri: string; readonly records: number } | null;
  readonly ruleset: { readonly hash: string };
  readonly policy: { readonly id: string; readonly hash: string };
  readonly suite: { readonly name: string; readonly seed: number; readonly temperature: number };
  /** `sandbox` puts a banner on every rendering: nothing in it was measured on a real model. */
  readonly cloud: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** How far the converted model is from the trained one; absent or empty where nothing was converted. */
  readonly parity?: readonly ParityRow[];
  /** Absent or null where the provider tells of no single steps, or nothing was trained in this run. */
  readonly lossCurve?: LossCurve | null;
}

export interface ReportInput {
  readonly header: ReportHeader;
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
  readonly metrics: Metrics;
  readonly samples: Readonly<Record<string, number>>;
  readonly answers: readonly ScoredAnswer[];
  /** Where all answers are kept; the report shows the worst. */
  readonly answersUri: string | null;
  /** How answers are sliced; the member `label` of what was expected, unless given. */
  readonly labelOf?: (answer: ScoredAnswer) => string | null;
}

export interface ReportSlice {
  readonly label: string;
  readonly answers: number;
  readonly passRate: number;
  /** Means of the recipe's measurements within the slice. */
  readonly metrics: Metrics;
}

export interface ReportedAnswer {
  readonly caseId: string;
  readonly question: string;
  readonly answer: string;
  readonly expected: Json;
  readonly formatFault: string | null;
  readonly metrics: Metrics;
  readonly violations: readonly string[];
  readonly latencyMs: number;
}

/** One validation as plain data; JSON, Markdown and HTML are renderings of it. */
export interface ValidationReport extends ReportHeader {
  readonly schema: 'validation-report/v1';
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
  readonly metrics: Metrics;
  readonly samples: Readonly<Record<string, number>>;
  readonly violations: {
    readonly byRule: readonly { ruleId: string; severity: Severity; count: number; message: string }[];
    readonly first: readonly (Violation & { readonly caseId: string })[];
  };
  readonly latency: {
    readonly p50Seconds: number;
    readonly p95Seconds: number;
    readonly p99Seconds: number;
    readonly maxSeconds: number;
    /** At most 100 points: seconds, and the share of answers that took no longer. */
    readonly distribution: readonly (readonly [seconds: number, share: number])[];
  } | null;
  readonly slices: readonly ReportSlice[];
  readonly worst: readonly ReportedAnswer[];
  readonly answersUri: string | null;
}

const shownViolations = 20;
const shownAnswers = 20;
const shownCharacters = 4_000;

/** Puts a validation's results together; deterministic in its input. */
export function buildValidationReport(input: ReportInput): ValidationReport {
  const { header, verdict, checks, metrics, samples, answers, answersUri } = input;
  return {
    schema: 'validation-report/v1',
    ...header,
    verdict,
    checks,
    metrics,
    samples,
    violations: summarizeViolations(answers),
    latency: summarizeLatency(answers),
    slices: sliceByLabel(answers, input.labelOf ?? expectedLabel),
    worst: [...answers].sort(worstFirst).slice(0, shownAnswers).map(toReportedAnswer),
    answersUri,
  };
}

/** The report as the file `report.json`. */
export function renderReportJson(report: ValidationReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function summarizeViolations(answers: readonly ScoredAnswer[]): ValidationReport['violations'] {
  const all = answers.flatMap((answer) =>
    answer.violations.map((each) => ({ ...each, caseId: answer.caseId })),
  );
  const severityOrder: Record<Severity, number> = { BLOCK: 0, WARN: 1, SHADOW: 2 };
  const counts = new Map<string, { ruleId: string; severity: Severity; count: number; message: string }>();
  for (const { ruleId, severity, message } of all) {
    const known = counts.get(ruleId);
    counts.set(ruleId, {
      ruleId,
      severity,
      message: known?.message ?? message,
      count: (known?.count ?? 0) + 1,
    });
  }
  const bySeverity = (a: { severity: Severity }, b: { severity: Severity }) =>
    severityOrder[a.severity] - severityOrder[b.severity];
  return {
    byRule: [...counts.values()].sort((a, b) => bySeverity(a, b) || b.count - a.count),
    first: all.sort(bySeverity).slice(0, shownViolations),
  };
}

function summarizeLatency(answers: readonly ScoredAnswer[]): ValidationReport['latency'] {
  const seconds = answers
    .map((answer) => answer.latencyMs / 1000)
    .filter((each) => each >= 0 && Number.isFinite(each));
  if (seconds.length === 0) return null;
  const points = Math.min(100, seconds.length);
  const at = (share: number) => orderStatistic(seconds, share);
  return {
    p50Seconds: at(0.5),
    p95Seconds: at(0.95),
    p99Seconds: at(0.99),
    maxSeconds: at(1),
    distribution: Array.from({ length: points }, (_, index) => {
      const share = (index + 1) / points;
      return [at(share), share] as const;
    }),
  };
}

function expectedLabel(answer: ScoredAnswer): string | null {
  const label = isJsonObject(answer.expected) ? answer.expected.label : null;
  return typeof label === 'string' ? label : null;
}

function sliceByLabel(
  answers: readonly ScoredAnswer[],
  labelOf: (answer: ScoredAnswer) => string | null,
): ReportSlice[] {
  const groups = new Map<string, ScoredAnswer[]>();
  for (const answer of answers) {
    const label = labelOf(answer);
    if (label !== null) groups.set(label, [...(groups.get(label) ?? []), answer]);
  }
  return [...groups]
    .map(([label, group]) => ({
      label,
      answers: group.length,
      passRate: group.filter(passes).length / group.length,
      metrics: meansOf(group),
    }))
    .sort((a, b) => a.passRate - b.passRate || (a.label < b.label ? -1 : 1));
}

function meansOf(answers: readonly ScoredAnswer[]): Metrics {
  const names = [...new Set(answers.flatMap((answer) => Object.keys(answer.score.metrics)))].sort();
  return Object.fromEntries(
    names.map((name) => {
      const values = answers.flatMap((answer) => answer.score.metrics[name] ?? []);
      return [name, values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null];
    }),
  );
}

/** Unreadable answers first, then blocked ones, then warnings, then the lowest measurements. */
function worstFirst(a: ScoredAnswer, b: ScoredAnswer): number {
  return (
    badness(b) - badness(a) ||
    merit(a) - merit(b) ||
    b.latencyMs - a.latencyMs ||
    (a.caseId < b.caseId ? -1 : 1)
  );
}

function badness(answer: ScoredAnswer): number {
  const has = (severity: Severity) => answer.violations.some((each) => each.severity === severity);
  return answer.score.document === null ? 3 : has('BLOCK') ? 2 : has('WARN') ? 1 : 0;
}

function merit(answer: ScoredAnswer): number {
  const values = Object.values(answer.score.metrics).filter((value) => value !== null);
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
}

function toReportedAnswer(answer: ScoredAnswer): ReportedAnswer {
  return {
    caseId: answer.caseId,
    question: shorten(answer.question),
    answer: shorten(answer.answer),
    expected: answer.expected,
    formatFault: answer.score.formatFault,
    metrics: answer.score.metrics,
    violations: answer.violations.map(
      (each) => `${each.severity} ${each.ruleId} ${each.field}: ${each.message}`,
    ),
    latencyMs: answer.latencyMs,
  };
}

function shorten(text: string): string {
  if (text.length <= shownCharacters) return text;
  return `${text.slice(0, shownCharacters)} … (${text.length - shownCharacters} more characters)`;
}
