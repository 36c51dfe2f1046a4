import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregateMetrics, type MeasuredAnswer } from '../../src/domain/evaluation/aggregate.js';
import { decideGate } from '../../src/domain/evaluation/decide.js';
import { type GatePolicy, gatePolicySchema } from '../../src/domain/evaluation/gate-policy.js';
import {
  twoSidedQuantile,
  wilsonInterval,
  zeroEventsUpperBound,
} from '../../src/domain/evaluation/statistics.js';
import type { Severity, Violation } from '../../src/domain/guardrails/ruleset.js';

function answer(change: {
  metrics?: Record<string, number | null>;
  severities?: Severity[];
  readable?: boolean;
  latencyMs?: number;
}): MeasuredAnswer {
  const violations = (change.severities ?? []).map((severity) => ({ severity }) as Violation);
  return {
    score: {
      document: change.readable === false ? null : {},
      formatFault: change.readable === false ? 'not JSON' : null,
      metrics: change.metrics ?? {},
    },
    violations,
    latencyMs: change.latencyMs ?? 1000,
    inputTokens: 10,
    outputTokens: 5,
  };
}

function policy(...checks: object[]): GatePolicy {
  return gatePolicySchema.parse({ schema: 'gate/v1', id: 'test', mode: 'literal', checks });
}

describe('aggregation', () => {
  it('averages, and keeps the extremes', () => {
    const { metrics, samples } = aggregateMetrics(
      [0.2, 0.4, 0.9].map((score) => answer({ metrics: { score } })),
    );
    expect(metrics).toMatchObject({
      score: 0.5,
      'score.min': 0.2,
      'score.max': 0.9,
      answers: 3,
      'tokens.input': 30,
    });
    expect(samples).toMatchObject({ score: 3, 'raw.passRate': 3 });
  });

  it('correlates what was wanted with what was given', () => {
    const paired = (...pairs: [number, number][]) =>
      aggregateMetrics(
        pairs.map((pair) => {
          const one = answer({});
          return { ...one, score: { ...one.score, pairs: { teacher: pair } } };
        }),
      );
    // By hand: covariance 0.05, standard deviations 0.1 and 0.5291….
    expect(paired([0.1, 0.2], [0.2, 0.0], [0.3, 1.0]).metrics['teacher.correlation']).toBeCloseTo(0.7559, 4);
    expect(paired([0.1, 0.9], [0.5, 0.5], [0.9, 0.1]).metrics['teacher.correlation']).toBeCloseTo(-1);
    expect(paired([0.1, 0.4], [0.5, 0.4], [0.9, 0.4]).metrics['teacher.correlation']).toBe(0);
    expect(paired([0.5, 0.1], [0.5, 0.4], [0.5, 0.9]).metrics['teacher.correlation']).toBeNull();
    expect(paired([0.1, 0.1], [0.5, 0.5]).metrics['teacher.correlation']).toBeNull();
    expect(paired([0.1, 0.1], [0.5, Number.NaN], [0.9, 0.9]).metrics['teacher.correlation']).toBeNull();
    expect(paired([0.1, 0.1], [0.5, 0.5]).samples['teacher.correlation']).toBe(2);
  });

  it('leaves out what could not be measured, and counts it in the samples', () => {
    const { metrics, samples } = aggregateMetrics([
      answer({ metrics: { score: 1, other: null } }),
      answer({ metrics: { score: null } }),
    ]);
    expect(metrics).toMatchObject({ score: 1, other: null });
    expect(samples).toMatchObject({ score: 1, other: 0, answers: 2 });
  });

  it('does not average a NaN away', () => {
    const { metrics } = aggregateMetrics([
      answer({ metrics: { score: 1 } }),
      answer({ metrics: { score: Number.NaN } }),
    ]);
    expect(metrics.score).toBeNull();
  });

  it('counts an answer that cannot be read as not passed', () => {
    const { metrics } = aggregateMetrics([
      answer({}),
      answer({ readable: false }),
      answer({ severities: ['BLOCK', 'BLOCK'] }),
      answer({ severities: ['WARN', 'SHADOW'] }),
    ]);
    expect(metrics).toMatchObject({
      'raw.passRate': 0.5,
      'json.valid': 0.75,
      'raw.blocks': 2,
      'raw.warnings': 1,
    });
  });

  it('has nothing to say about no answers', () => {
    const { metrics } = aggregateMetrics([]);
    expect(metrics).toMatchObject({
      answers: 0,
      'raw.blocks': null,
      'raw.passRate': null,
      'latency.max_s': null,
    });
  });

  it('measures latency in seconds', () => {
    const answers = Array.from({ length: 100 }, (_, index) => answer({ latencyMs: (index + 1) * 100 }));
    const { metrics } = aggregateMetrics(answers);
    expect(metrics['latency.max_s']).toBe(10);
    expect(metrics['latency.mean_s']).toBeCloseTo(5.05);
    expect(metrics['latency.p95_s']).toBeCloseTo(9.5);
  });
});

describe('the verdict', () => {
  const critical = policy({ metric: 'score', op: '>', value: 0.75, critical: true, minimumSamples: 10 });
  const decide = (value: number | null, samples = 10) =>
    decideGate(critical, { score: value }, { score: samples });

  it('compares literally', () => {
    expect(decide(0.75).verdict).toBe('failed');
    expect(decide(0.7500001).verdict).toBe('passed');
    expect(decide(0.7499999).checks[0]?.explanation).toContain('score is 0.7499999 on 10 answers');
  });

  it.each([null, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'is an error where a critical metric is %s',
    (value) => {
      const decision = decide(value);
      expect(decision.verdict).toBe('error');
      expect(decision.checks[0]).toMatchObject({ status: 'no-data', value: null });
      expect(decision.checks[0]?.explanation).toContain('could not be measured');
    },
  );

  it('is an error where a critical metric is missing, or named like a member every object has', () => {
    expect(decideGate(critical, {}, {}).verdict).toBe('error');
    const odd = policy({ metric: 'constructor', op: '>', value: 0, critical: true });
    expect(decideGate(odd, {}, {}).verdict).toBe('error');
  });

  it('is inconclusive with too few answers, unless more could not help', () => {
    expect(decide(0.9, 9).verdict).toBe('inconclusive');
    expect(decide(0.1, 9).verdict).toBe('inconclusive');
    const blocks = policy({ metric: 'raw.blocks', op: '==', value: 0, critical: true, minimumSamples: 1085 });
    expect(decideGate(blocks, { 'raw.blocks': 0 }, { 'raw.blocks': 20 }).verdict).toBe('inconclusive');
    expect(decideGate(blocks, { 'raw.blocks': 1 }, { 'raw.blocks': 20 }).verdict).toBe('failed');
  });

  it('reports plain checks without rejecting for them', () => {
    const plain = policy(
      { metric: 'score', op: '>', value: 0.75 },
      { metric: 'answers', op: '>', value: 0, critical: true },
    );
    const decision = decideGate(plain, { score: 0.1, answers: 3 }, { score: 3, answers: 3 });
    expect(decision.verdict).toBe('passed');
    expect(decision.checks.map((check) => check.status)).toEqual(['fail', 'pass']);
    expect(decideGate(policy({ metric: 'score', op: '>', value: 0 }), {}, {}).verdict).toBe('error');
  });

  it('gives a rate its interval, and zero blocks their bound', () => {
    const both = policy(
      { metric: 'raw.passRate', op: '==', value: 1, critical: true },
      { metric: 'raw.blocks', op: '==', value: 0, critical: true },
    );
    const { checks } = decideGate(
      both,
      { 'raw.passRate': 1, 'raw.blocks': 0 },
      { 'raw.passRate': 1085, 'raw.blocks': 1085 },
    );
    expect(checks[0]?.interval?.[0]).toBeCloseTo(0.9965, 4);
    expect(checks[1]?.explanation).toContain('fewer than 0.2757 %');
  });
});

describe('for any input', () => {
  const value = fc.oneof(fc.double(), fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY));
  const op = fc.constantFrom('==', '>', '>=', '<', '<=');
  const threshold = fc.double({ noNaN: true, noDefaultInfinity: true });

  it('nothing passes without a finite value for every critical metric', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, op, threshold, fc.nat(5)), { minLength: 1, maxLength: 5 }),
        (rows) => {
          const checks = rows.map(([, each, limit], index) => ({
            metric: `m${index}`,
            op: each,
            value: limit,
            critical: true,
          }));
          const metrics = Object.fromEntries(rows.map(([each], index) => [`m${index}`, each ?? null]));
          const samples = Object.fromEntries(rows.map(([, , , count], index) => [`m${index}`, count]));
          const { verdict } = decideGate(policy(...checks), metrics, samples);
          const measured = rows.every(([each, , , count]) => Number.isFinite(each) && count > 0);
          if (!measured) expect(verdict).not.toBe('passed');
        },
      ),
    );
  });

  it('a better value never turns a pass into a fail', () => {
    const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(finite, finite, finite, fc.constantFrom('>', '>='), (a, b, limit, each) => {
        const one = policy({ metric: 'm', op: each, value: limit, critical: true });
        const verdict = (score: number) => decideGate(one, { m: score }, { m: 1 }).verdict;
        if (verdict(Math.min(a, b)) === 'passed') expect(verdict(Math.max(a, b))).toBe('passed');
      }),
    );
  });

  it("Wilson's interval holds the observed rate and narrows with more answers", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (trials, share) => {
          const successes = Math.round(trials * share);
          const [low, high] = wilsonInterval(successes, trials, 0.95) ?? [1, 0];
          const rate = successes / trials;
          expect(low >= 0 && low <= rate && rate <= high && high <= 1).toBe(true);
          const [wideLow, wideHigh] = wilsonInterval(successes * 4, trials * 4, 0.95) ?? [0, 1];
          expect(wideHigh - wideLow).toBeLessThan(high - low);
        },
      ),
    );
  });
});

describe('statistics', () => {
  it('agree with published values', () => {
    expect(twoSidedQuantile(0.95)).toBeCloseTo(1.959964, 5);
    expect(twoSidedQuantile(0.9)).toBeCloseTo(1.644854, 5);
    const [low, high] = wilsonInterval(8, 90, 0.95) ?? [0, 0];
    expect([low, high].map((each) => Math.round(each * 1000))).toEqual([46, 166]);
    expect(zeroEventsUpperBound(300, 0.95)).toBeCloseTo(0.00994, 4);
    expect(wilsonInterval(0, 0, 0.95)).toBeNull();
  });
});
