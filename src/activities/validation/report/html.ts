import { parityCells, parityHead } from '../../../domain/parity.js';
import { provenanceRows } from './markdown.js';
import { latencyCurve, lossPlot, shareBars } from './plots.js';
import type { ReportedAnswer, ValidationReport } from './report.js';
import { style } from './style.js';
import { html, number, simulatedNotice, verdictSentences } from './text.js';

/** The report as one page that needs nothing else: no script, no request; model output is text only. */
export function renderReportHtml(report: ValidationReport): string {
  const version = report.model.version === null ? '' : ` version ${report.model.version}`;
  const title = `Validation of ${report.model.name}${version}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${html(title)}: ${report.verdict}</title>
<style>${style}</style>
</head>
<body>
${report.cloud === 'sandbox' ? `<div class="banner">${html(simulatedNotice)}</div>` : ''}
<h1>${html(title)} <span class="verdict ${report.verdict}">${report.verdict}</span></h1>
<p>${html(verdictSentences[report.verdict])} <span class="soft">${number(report.metrics.answers)} raw first answers, suite ${html(report.suite.name)}, policy ${html(report.policy.id)}, ${html(report.finishedAt)}</span></p>
<h2>Gate</h2>
${gateTable(report)}
<h2>Measurements</h2>
${shareBars(report)}
${metricTable(report)}
<h2>Latency</h2>
${latencySummary(report)}
${latencyCurve(report)}
<h2>Guardrails</h2>
${violations(report)}
${report.slices.length > 0 ? `<h2>Slices by label</h2>${sliceTable(report)}` : ''}
<h2>Worst ${report.worst.length} answers</h2>
${report.worst.map(worstAnswer).join('\n') || '<p>No answers.</p>'}
${report.answersUri ? `<p class="soft">All answers: ${html(report.answersUri)}</p>` : ''}
${trainingSection(report)}
${paritySection(report)}
<h2>What was judged</h2>
${table(
  ['What', 'Which'],
  provenanceRows(report).map((row) => row.map(html)),
)}
</body>
</html>
`;
}

/** Cells are HTML already; columns from `numbersFrom` on are numbers. */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const cell = (tag: 'th' | 'td') => (content: string, index: number) =>
    `<${tag}${numbers.includes(index) ? ' class="number"' : ''}>${content}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('\n');
  return `<div class="scroll"><table><thead><tr>${head.map(cell('th')).join('')}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function gateTable(report: ValidationReport): string {
  return table(
    ['Metric', 'Value', 'Interval', 'Demand', 'Status', 'Why'],
    report.checks.map((check) => [
      `${html(check.metric)}${check.critical ? ' <strong title="critical">*</strong>' : ''}`,
      number(check.value),
      check.interval ? check.interval.map(number).join(' – ') : '',
      html(`${check.op} ${check.threshold}`),
      `<span class="status ${check.status}">${check.status}</span>`,
      html(check.explanation),
    ]),
    [1],
  ).concat('<p class="soft">* critical: decides the verdict. Other checks are reported.</p>');
}

function metricTable(report: ValidationReport): string {
  const rows = Object.entries(report.metrics).map(([name, value]) => [
    html(name),
    number(value),
    number(report.samples[name]),
  ]);
  return `<details><summary>All ${rows.length} metrics</summary>${table(['Metric', 'Value', 'Answers'], rows, [1, 2])}</details>`;
}

function trainingSection({ lossCurve }: ValidationReport): string {
  if (!lossCurve) return '';
  const earlyStop = lossCurve.earlyStop ? `<p>It ${html(lossCurve.earlyStop)}.</p>` : '';
  const engine = lossCurve.engine ? `<p>Trained with ${html(lossCurve.engine)}.</p>` : '';
  return `<h2>Training</h2>${lossPlot(lossCurve)}${earlyStop}${engine}`;
}

function paritySection({ parity = [] }: ValidationReport): string {
  if (parity.length === 0) return '';
  const rows = parity.map((row) => parityCells(row).map(html));
  const findings = parity.flatMap((row) => row.findings.map((finding) => `<li>${html(finding)}</li>`));
  const list = findings.length > 0 ? `<ul>${findings.join('')}</ul>` : '';
  return `<h2>Parity with the trained model</h2>${table(parityHead, rows)}${list}`;
}

function latencySummary({ latency }: ValidationReport): string {
  if (!latency) return '';
  const { p50Seconds, p95Seconds, p99Seconds, maxSeconds } = latency;
  return `<p>Median ${number(p50Seconds)} s, 95 % within ${number(p95Seconds)} s, 99 % within ${number(p99Seconds)} s, slowest ${number(maxSeconds)} s.</p>`;
}

function violations(report: ValidationReport): string {
  const { byRule, first } = report.violations;
  if (byRule.length === 0) return '<p>No violations.</p>';
  const severity = (each: { severity: string }) => `<span class="${each.severity}">${each.severity}</span>`;
  const counts = table(
    ['Rule', 'Severity', 'Count', 'Meaning'],
    byRule.map((each) => [html(each.ruleId), severity(each), String(each.count), html(each.message)]),
    [2],
  );
  const examples = table(
    ['Case', 'Rule', 'Field', 'Text', 'Suggestion'],
    first.map((each) => [each.caseId, each.ruleId, each.field, each.text, each.suggestion].map(html)),
  );
  return `${counts}<details open><summary>The first ${first.length}</summary>${examples}</details>`;
}

function sliceTable(report: ValidationReport): string {
  const names = [...new Set(report.slices.flatMap((slice) => Object.keys(slice.metrics)))];
  return table(
    ['Label', 'Answers', 'Passed', ...names.map(html)],
    report.slices.map((slice) => [
      html(slice.label),
      String(slice.answers),
      number(slice.passRate),
      ...names.map((name) => number(slice.metrics[name])),
    ]),
    [1, 2, ...names.map((_, index) => index + 3)],
  );
}

function worstAnswer(answer: ReportedAnswer, index: number): string {
  const faults = [...(answer.formatFault ? [answer.formatFault] : []), ...answer.violations];
  const metrics = Object.entries(answer.metrics).map(([name, value]) => `${name} ${number(value)}`);
  return `<details${index < 3 ? ' open' : ''}><summary>${html(answer.caseId)} <span class="soft">${html(
    [...faults.slice(0, 1), ...metrics, `${number(answer.latencyMs / 1000)} s`].join(' · '),
  )}</span></summary>
${faults.length > 0 ? `<ul>${faults.map((fault) => `<li>${html(fault)}</li>`).join('')}</ul>` : ''}
<div class="soft">Question</div><pre>${html(answer.question)}</pre>
<div class="soft">Answer</div><pre>${html(answer.answer)}</pre>
<div class="soft">Expected</div><pre>${html(JSON.stringify(answer.expected, null, 2))}</pre></details>`;
}
