import { type LossPoint, sparkline } from '../../../domain/loss-curve.js';
import { parityCells, parityHead } from '../../../domain/parity.js';
import type { ReportedAnswer, ValidationReport } from './report.js';
import { markdown, markdownBlock, number, simulatedNotice, verdictSentences } from './text.js';

/** The report as Markdown; whatever a model wrote stands in it without effect. */
export function renderReportMarkdown(report: ValidationReport): string {
  const version = report.model.version === null ? '' : ` version ${report.model.version}`;
  const parts = [
    `# Validation of ${markdown(report.model.name)}${version}: ${report.verdict}`,
    report.cloud === 'sandbox' ? `> ${simulatedNotice}` : '',
    verdictSentences[report.verdict],
    '## Gate',
    gateTable(report),
    '## Measurements',
    metricTable(report),
    '## Guardrails',
    violations(report),
    report.slices.length > 0 ? `## Slices\n\n${sliceTable(report)}` : '',
    `## Worst answers\n\n${report.worst.map(worstAnswer).join('\n\n') || 'No answers.'}`,
    report.answersUri ? `All answers: ${markdown(report.answersUri)}` : '',
    lossSection(report),
    paritySection(report),
    '## What was judged',
    provenance(report),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Rows of what was judged and by what, shared by the renderings. */
export function provenanceRows(report: ValidationReport): [string, string][] {
  const { dataset } = report;
  return [
    ['Model', report.model.modelId],
    ['Deployment', report.model.deploymentId ?? 'none'],
    ['Dataset', dataset ? `${dataset.sha256} (${dataset.records} records, ${dataset.uri})` : 'none'],
    ['Recipe', `${report.recipe.name} ${report.recipe.hash}`],
    ['Ruleset', report.ruleset.hash],
    ['Policy', `${report.policy.id} ${report.policy.hash}`],
    ['Suite', `${report.suite.name}, seed ${report.suite.seed}, temperature ${report.suite.temperature}`],
    ['Answers', String(report.metrics.answers ?? 0)],
    ['Run', `${report.workflowId} ${report.runId}`],
    ['Time', `${report.startedAt} to ${report.finishedAt}`],
    ['Cloud', report.cloud],
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function gateTable(report: ValidationReport): string {
  return table(
    ['Metric', 'Value', 'Demand', 'Status', 'Critical', 'Why'],
    report.checks.map((check) => [
      markdown(check.metric),
      number(check.value),
      markdown(`${check.op} ${check.threshold}`),
      check.status,
      check.critical ? 'yes' : 'no',
      markdown(check.explanation),
    ]),
  );
}

function metricTable(report: ValidationReport): string {
  return table(
    ['Metric', 'Value', 'Answers'],
    Object.entries(report.metrics).map(([name, value]) => [
      markdown(name),
      number(value),
      number(report.samples[name]),
    ]),
  );
}

function violations(report: ValidationReport): string {
  const { byRule, first } = report.violations;
  if (byRule.length === 0) return 'No violations.';
  const counts = table(
    ['Rule', 'Severity', 'Count', 'Meaning'],
    byRule.map((each) => [markdown(each.ruleId), each.severity, String(each.count), markdown(each.message)]),
  );
  const examples = table(
    ['Case', 'Rule', 'Field', 'Text', 'Suggestion'],
    first.map((each) => [each.caseId, each.ruleId, each.field, each.text, each.suggestion].map(markdown)),
  );
  return `${counts}\n\nThe first ${first.length}:\n\n${examples}`;
}

function sliceTable(report: ValidationReport): string {
  const names = [...new Set(report.slices.flatMap((slice) => Object.keys(slice.metrics)))];
  return table(
    ['Label', 'Answers', 'Passed', ...names.map(markdown)],
    report.slices.map((slice) => [
      markdown(slice.label),
      String(slice.answers),
      number(slice.passRate),
      ...names.map((name) => number(slice.metrics[name])),
    ]),
  );
}

function worstAnswer(answer: ReportedAnswer): string {
  const faults = [...(answer.formatFault ? [answer.formatFault] : []), ...answer.violations];
  return [
    `### ${markdown(answer.caseId)}`,
    faults.map((fault) => `- ${markdown(fault)}`).join('\n'),
    `Question:\n\n${markdownBlock(answer.question)}`,
    `Answer (${number(answer.latencyMs / 1000)} s):\n\n${markdownBlock(answer.answer)}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function lossSection({ lossCurve }: ValidationReport): string {
  if (!lossCurve) return '';
  const line = (name: string, points: readonly LossPoint[]) =>
    points.length < 2
      ? []
      : [`${name}: ${sparkline(points)} from ${number(points[0]?.[1])} to ${number(points.at(-1)?.[1])}.`];
  return [
    '## Training',
    ...line('Training loss', lossCurve.training),
    ...line('Validation loss', lossCurve.validation),
    ...(lossCurve.earlyStop ? [`It ${markdown(lossCurve.earlyStop)}.`] : []),
    ...(lossCurve.engine ? [`Trained with ${markdown(lossCurve.engine)}.`] : []),
  ].join('\n\n');
}

function paritySection({ parity = [] }: ValidationReport): string {
  if (parity.length === 0) return '';
  const rows = parity.map((row) => parityCells(row).map(markdown));
  const findings = parity.flatMap((row) => row.findings.map((finding) => `- ${markdown(finding)}`));
  return ['## Parity with the trained model', table(parityHead, rows), findings.join('\n')]
    .filter((part) => part !== '')
    .join('\n\n');
}

function provenance(report: ValidationReport): string {
  return table(
    ['What', 'Which'],
    provenanceRows(report).map((row) => row.map(markdown)),
  );
}
