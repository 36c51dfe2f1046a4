import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderReportHtml } from '../../src/activities/validation/report/html.js';
import { renderReportMarkdown } from '../../src/activities/validation/report/markdown.js';
import { buildValidationReport, renderReportJson } from '../../src/activities/validation/report/report.js';
import { aggregateMetrics } from '../../src/domain/evaluation/aggregate.js';
import { decideGate } from '../../src/domain/evaluation/decide.js';
import type { ScoredAnswer } from '../../src/domain/evaluation/evaluation.js';
import { gatePolicySchema } from '../../src/domain/evaluation/gate-policy.js';
import type { Severity, Violation } from '../../src/domain/guardrails/ruleset.js';

function violation(severity: Severity, text: string): Violation {
  return {
    ruleId: `R-${severity}`,
    rule: 1,
    severity,
    field: 'headline',
    span: [0, text.length],
    text,
    message: 'Not so',
    suggestion: 'Say it kindly',
    rulesetHash: 'hash',
  };
}

function answer(index: number, change: Partial<ScoredAnswer> = {}): ScoredAnswer {
  return {
    caseId: `case-${index}`,
    question: `Question ${index}`,
    answer: '{"headline":"Fine"}',
    expected: { label: index % 2 ? 'odd' : 'even' },
    score: { document: { headline: 'Fine' }, formatFault: null, metrics: { accuracy: index % 10 ? 1 : 0 } },
    violations: [],
    latencyMs: 200 + index * 10,
    inputTokens: 10,
    outputTokens: 5,
    ...change,
  };
}

const policy = gatePolicySchema.parse({
  schema: 'gate/v1',
  id: 'example',
  mode: 'literal',
  checks: [
    { metric: 'raw.passRate', op: '==', value: 1, critical: true },
    { metric: 'accuracy', op: '>', value: 0.85, critical: true },
    { metric: 'latency.mean_s', op: '<', value: 2 },
    { metric: 'unmeasured', op: '>', value: 0 },
  ],
});

function reportOf(answers: readonly ScoredAnswer[], cloud = 'sandbox') {
  const { metrics, samples, rates } = aggregateMetrics(answers);
  return buildValidationReport({
    header: {
      model: { name: 'stylist', version: 2, modelId: 'arn:model', deploymentId: 'arn:deployment' },
      recipe: { name: 'stylist', hash: 'recipe-hash' },
      dataset: { sha256: 'dataset-hash', uri: 's3://anneal/d', records: 1085 },
      ruleset: { hash: 'ruleset-hash' },
      policy: { id: policy.id, hash: 'policy-hash' },
      suite: { name: 'golden', seed: 1, temperature: 0 },
      cloud,
      workflowId: 'fine-tune/stylist',
      runId: 'run-1',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:01:00Z',
    },
    ...decideGate(policy, metrics, samples, rates),
    metrics,
    samples,
    answers,
    answersUri: 's3://anneal/answers.jsonl',
  });
}

const renderings = [
  ['JSON', renderReportJson],
  ['Markdown', renderReportMarkdown],
  ['HTML', renderReportHtml],
] as const;

describe('a validation report', () => {
  const answers = Array.from({ length: 60 }, (_, index) => answer(index));

  it.each(renderings)('names every hash, check and the verdict as %s', (_name, render) => {
    const text = render(reportOf(answers));
    for (const part of ['dataset-hash', 'ruleset-hash', 'policy-hash', 'recipe-hash', 'accuracy', 'passed']) {
      expect(text).toContain(part);
    }
  });

  it.each(renderings)('says as %s what the model was trained with, where that is known', (_name, render) => {
    const report = reportOf(answers);
    const lossCurve = { training: [[1, 2] as const, [2, 1] as const], validation: [], earlyStop: null };
    expect(render({ ...report, lossCurve: { ...lossCurve, engine: 'mlx on metal' } })).toContain(
      'mlx on metal',
    );
    expect(render({ ...report, lossCurve })).not.toContain('Trained with');
  });

  it('says that it is simulated only when it is', () => {
    expect(renderReportHtml(reportOf(answers))).toContain('Simulated');
    expect(renderReportMarkdown(reportOf(answers))).toContain('Simulated');
    expect(renderReportHtml(reportOf(answers, 'aws'))).not.toContain('Simulated');
  });

  it('shows the worst answers first: unreadable, blocked, warned, then low', () => {
    const report = reportOf([
      ...answers,
      answer(101, { violations: [violation('WARN', 'w')] }),
      answer(102, { violations: [violation('BLOCK', 'b')] }),
      answer(103, { score: { document: null, formatFault: 'not JSON', metrics: { accuracy: 0 } } }),
    ]);
    expect(report.worst.slice(0, 4).map((each) => each.caseId)).toEqual([
      'case-103',
      'case-102',
      'case-101',
      'case-50',
    ]);
    expect(report.worst).toHaveLength(20);
    expect(report.violations.byRule.map((each) => each.severity)).toEqual(['BLOCK', 'WARN']);
  });

  it('slices by the label that was expected', () => {
    const { slices } = reportOf(answers);
    expect(slices).toMatchObject([
      { label: 'even', answers: 30, passRate: 1, metrics: { accuracy: 0.8 } },
      { label: 'odd', answers: 30, passRate: 1, metrics: { accuracy: 1 } },
    ]);
  });

  it.each(renderings)('can be written without any answers, as %s', (_name, render) => {
    const report = reportOf([]);
    expect(report.verdict).toBe('error');
    expect(render(report)).toContain('error');
  });
});

describe('hostile model output', () => {
  const hostile = [
    '<script>alert(1)</script><img src=x onerror=alert(1)>',
    '</pre></style></title><svg onload=alert(1)>',
    '"><a href="javascript:alert(1)">x</a>',
    "' onmouseover='alert(1)",
    '```\n# heading\n<b>bold</b>\n````\n| a | b |',
    '\u202egnihtyna\u202c \u0000 \ud800 &lt;script&gt;',
  ];
  const report = reportOf(
    hostile.map((text, index) =>
      answer(index, {
        caseId: text,
        question: text,
        answer: text,
        expected: { label: text },
        violations: [violation('BLOCK', text)],
        score: { document: null, formatFault: text, metrics: { [text]: 0.5 } },
      }),
    ),
  );

  it('never becomes markup in HTML', () => {
    const page = renderReportHtml(report);
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9!]+)/gi)].map((tag) => tag[1]?.toLowerCase()));
    for (const tag of ['script', 'img', 'a', 'b', 'iframe', 'object']) expect(tags).not.toContain(tag);
    expect(page).not.toMatch(/<[^>]*\son\w+=/i);
    expect(page).not.toMatch(/[\u202a-\u202e]/);
    expect(page).not.toContain('\0');
    expect(Buffer.from(page).toString()).toBe(page);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
  });

  it('never leaves its block or cell in Markdown', () => {
    const text = renderReportMarkdown(report);
    const outside = text.replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, '');
    expect(outside).not.toMatch(/<\w/);
    expect(outside.match(/^# /gm)).toHaveLength(1);
    const cells = (line: string) => line.replace(/\\./g, '').split('|').length;
    const tables = outside.split('\n\n').filter((each) => each.startsWith('|'));
    expect(tables.length).toBeGreaterThan(4);
    for (const table of tables) {
      expect(new Set(table.trim().split('\n').map(cells)).size).toBe(1);
    }
  });

  it('changes no number of cells, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const one = reportOf([
          answer(1, { caseId: text, answer: text, violations: [violation('BLOCK', text)] }),
        ]);
        const plain = reportOf([answer(1, { violations: [violation('BLOCK', 'x')] })]);
        const tags = (page: string) => page.match(/<[/a-z!]/gi)?.length;
        expect(tags(renderReportHtml(one))).toBe(tags(renderReportHtml(plain)));
      }),
    );
  });
});
