import { type LossPoint, sparkline } from './loss-curve.js';
import { formatUsd, totalUsd } from './money.js';
import { parityCells, parityHead } from './parity.js';
import { nextCommand, type RunState, type StageStatus } from './run-state.js';

const marks: Readonly<Record<StageStatus, string>> = {
  waiting: '[ ]',
  running: '[>]',
  done: '[x]',
  skipped: '[-]',
  failed: '[!]',
  cancelled: '[!]',
};

/** The server takes 20,000 bytes; a character has at most three in UTF-8. */
const detailsLimitCharacters = 6_600;
const listedUndos = 20;

/**
 * What the Web UI shows under a run's current details: Markdown, a pure function of the state. Without
 * dollar signs: the Web UI takes what stands between two of them for a formula.
 */
export function renderDetails(state: RunState): string {
  return [
    heading(state),
    stageList(state),
    job(state),
    deployment(state),
    money(state),
    parity(state),
    gates(state),
    billing(state),
    undone(state),
    `**Next**\n\n\`\`\`\n${nextCommand(state)}\n\`\`\``,
  ]
    .filter((section) => section !== null)
    .join('\n\n')
    .replaceAll(/\$(\d[\d,.]*\d|\d)/g, '$1 USD')
    .slice(0, detailsLimitCharacters);
}

function heading(state: RunState): string {
  const simulated =
    state.cloud === 'sandbox' ? ' Everything bought here is **simulated** by the local cloud.' : '';
  const outcome = state.outcome
    ? ` Outcome: **${state.outcome}**.`
    : state.failure
      ? ` **${state.failure}**`
      : state.awaiting
        ? ` Waiting: **${state.awaiting}**.`
        : state.waitingFor
          ? ` Waiting for: **${cell(state.waitingFor)}**.`
          : '';
  return `**${state.workflowType}** of model \`${state.model}\` (recipe \`${state.recipe}\`).${outcome}${simulated}`;
}

function stageList(state: RunState): string {
  const hasEnded = state.outcome !== null || state.failure !== null;
  const rows = state.stages.map(({ name, status, note }) => {
    if (status === 'waiting' && hasEnded) return row(marks.skipped, name, 'not reached');
    return row(marks[status], name, cell(note || status));
  });
  return ['| | Stage | |', '|---|---|---|', ...rows].join('\n');
}

function job(state: RunState): string | null {
  if (!state.job) return null;
  const { name, id, status, trainingLoss, validationLoss, lossCurve } = state.job;
  const losses = [
    trainingLoss === null ? null : `training loss ${trainingLoss.toFixed(3)}`,
    validationLoss === null ? null : `validation loss ${validationLoss.toFixed(3)}`,
  ].filter((loss) => loss !== null);
  const parts = [
    `**Training job** \`${name}\`: ${status}${losses.length ? `, ${losses.join(', ')}` : ''}`,
    id && `\`${id}\``,
    lossCurve && curve('Training loss', lossCurve.training),
    lossCurve && curve('Validation loss', lossCurve.validation),
    lossCurve?.earlyStop && `It ${lossCurve.earlyStop}.`,
    lossCurve?.engine && `Trained with ${lossCurve.engine}.`,
  ];
  return parts.filter((part) => typeof part === 'string' && part !== '').join('\n\n');
}

function curve(name: string, points: readonly LossPoint[]): string | null {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || points.length < 2) return null;
  return `${name} \`${sparkline(points)}\` ${first[1].toFixed(3)} → ${last[1].toFixed(3)} at step ${last[0]}`;
}

function deployment(state: RunState): string | null {
  if (!state.deployment) return null;
  const { name, id, status, usdPerHour } = state.deployment;
  return `**Deployment** \`${name}\`: ${status}, ${formatUsd(usdPerHour)} an hour${id ? `\n\n\`${id}\`` : ''}`;
}

function money(state: RunState): string {
  const estimate = state.estimate ? `, estimate ${formatUsd(state.estimate.totalUsd)}` : '';
  const budget = state.budgetUsd === null ? '' : `, budget ${formatUsd(state.budgetUsd)}`;
  return `**Money**: spent ${formatUsd(totalUsd(state.spend))}${estimate}${budget}`;
}

function gates(state: RunState): string | null {
  if (state.checks.length === 0) return null;
  const rows = state.checks.map(({ metric, value, op, threshold, status, critical }) =>
    row(
      metric,
      value === null ? 'no data' : round(value),
      `${op} ${threshold}`,
      `${status}${critical ? '' : ' (not critical)'}`,
    ),
  );
  return [
    `**Gate**: ${state.verdict}`,
    '',
    '| Metric | Value | Threshold | |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function parity(state: RunState): string | null {
  if (state.parity.length === 0) return null;
  return [
    '**Parity** with the trained model',
    '',
    row(...parityHead),
    `|${parityHead.map(() => '---|').join('')}`,
    ...state.parity.map((each) => row(...parityCells(each))),
    ...state.parity.flatMap(({ findings }) => [
      '',
      ...findings.map((finding) => `- ${finding.replaceAll('\n', ' ').slice(0, 600)}`),
    ]),
  ].join('\n');
}

function billing(state: RunState): string | null {
  if (state.billing.length === 0) return null;
  const rows = state.billing.map(({ resource, usdPerHour, owner }) =>
    row(`\`${resource}\``, formatUsd(usdPerHour), owner),
  );
  return ['**Live paid resources**', '', '| Resource | an hour | Owner |', '|---|---|---|', ...rows].join(
    '\n',
  );
}

function undone(state: RunState): string | null {
  if (state.undone.length === 0) return null;
  return [
    '**Undone**',
    '',
    ...state.undone.slice(-listedUndos).map(({ what, problem }) => `- ${what}: ${cell(problem ?? 'done')}`),
  ].join('\n');
}

function round(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 300);
}

/** The Web UI leaves no room between columns. */
function row(...cells: readonly string[]): string {
  return `| ${cells.join('\u00a0\u00a0 | ')} |`;
}
