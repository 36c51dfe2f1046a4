import { formatUsd, roundUsd } from './money.js';
import {
  type IdleEntry,
  type MissingEntry,
  type SweepCounts,
  type SweepEntry,
  type SweepResult,
  type SweepSpec,
  startCommand,
} from './sweep.js';

/** A result stays small however much there is; the rest stands in the report. */
const listedEntries = 200;
/** The server takes 20,000 bytes of details; a character has at most three in UTF-8. */
const detailsLimitCharacters = 6_600;
const listedRows = 25;

/** What a sweep has found so far. */
export interface SweepState {
  readonly spec: SweepSpec;
  readonly taskQueue: string;
  doing: string;
  counts: { -readonly [Count in keyof SweepCounts]: number };
  readonly orphans: SweepEntry[];
  readonly missing: MissingEntry[];
  readonly idle: IdleEntry[];
  notListed: number;
  usdPerMonth: number;
}

export function newSweepState(spec: SweepSpec, taskQueue: string): SweepState {
  return {
    spec,
    taskQueue,
    doing: 'begins',
    counts: {
      examined: 0,
      orphans: 0,
      deleted: 0,
      leasedAgain: 0,
      kept: 0,
      missing: 0,
      corrected: 0,
      idle: 0,
      released: 0,
    },
    orphans: [],
    missing: [],
    idle: [],
    notListed: 0,
    usdPerMonth: 0,
  };
}

export function addOrphan(state: SweepState, entry: SweepEntry): void {
  const { counts } = state;
  if (entry.action === 'leasedAgain') counts.leasedAgain += 1;
  else counts.orphans += 1;
  if (entry.action === 'deleted') counts.deleted += 1;
  if (entry.action === 'kept') counts.kept += 1;
  if (entry.action === 'reported' || entry.action === 'kept') state.usdPerMonth += entry.usdPerMonth ?? 0;
  list(state, state.orphans, entry);
}

export function addMissing(state: SweepState, entry: MissingEntry): void {
  state.counts.missing += 1;
  if (entry.action === 'corrected' || entry.action === 'released') state.counts.corrected += 1;
  list(state, state.missing, entry);
}

export function addIdle(state: SweepState, entry: IdleEntry): void {
  state.counts.idle += 1;
  if (entry.action === 'released') state.counts.released += 1;
  list(state, state.idle, entry);
}

function list<T>(state: SweepState, entries: T[], entry: T): void {
  const listed = state.orphans.length + state.missing.length + state.idle.length;
  if (listed < listedEntries) entries.push(entry);
  else state.notListed += 1;
}

export function toSweepResult(state: SweepState, report: string | null): SweepResult {
  const { spec, counts, orphans, missing, idle, notListed } = state;
  return {
    dryRun: !spec.delete,
    counts: { ...counts },
    orphans,
    missing,
    idle,
    notListed,
    totalUsdPerMonth: roundUsd(state.usdPerMonth),
    report,
    next: nextSweep(state),
  };
}

/** After a dry run with findings: the same with `delete`. Else the sweep as it was. */
function nextSweep({ spec, taskQueue, counts }: SweepState): string {
  const canAct = counts.orphans + counts.missing > 0;
  const input = { ...spec, delete: spec.delete || canAct };
  return startCommand(taskQueue, 'sweepOrphans', 'sweep-orphans', input);
}

/** What the Web UI shows: Markdown, without dollar signs, which it takes for formulas. */
export function renderSweepDetails(state: SweepState): string {
  const { counts, spec } = state;
  const sections = [
    `**${spec.delete ? 'Sweep' : 'Dry run: nothing is changed'}**, ${state.doing}. ${counts.examined} resources examined, ${counts.orphans} orphans (${counts.deleted} deleted), ${counts.leasedAgain} leases started again, ${counts.missing} missing, ${counts.idle} idle. Orphans that are left cost ${formatUsd(roundUsd(state.usdPerMonth))} a month.`,
    table(
      '| Orphan | Owner | Age | a month | |\n|---|---|---|---|---|',
      state.orphans.map((entry) => [
        `${entry.kind} \`${entry.name}\``,
        entry.owner ?? 'unknown',
        `${entry.ageHours.toFixed(1)} h`,
        entry.usdPerMonth === null ? 'unknown' : formatUsd(entry.usdPerMonth),
        `${entry.action}: ${entry.reason}`,
      ]),
    ),
    table(
      '| Missing | Version | |\n|---|---|---|',
      state.missing.map((entry) => [
        `${entry.kind} \`${entry.name}\``,
        `${entry.model} ${entry.version}`,
        `${entry.action}: ${entry.reason}`,
      ]),
    ),
    table(
      '| Idle | Version | Idle for | a month | |\n|---|---|---|---|---|',
      state.idle.map((entry) => [
        `\`${entry.deployment}\``,
        `${entry.model} ${entry.version} (${entry.status})`,
        `${entry.idleHours.toFixed(1)} h`,
        formatUsd(entry.usdPerMonth),
        `${entry.action}: ${entry.reason}`,
      ]),
    ),
    `**Next**\n\n\`\`\`\n${nextSweep(state)}\n\`\`\``,
  ];
  return sections
    .filter((section) => section !== '')
    .join('\n\n')
    .replaceAll(/\$(\d[\d,.]*\d|\d)/g, '$1 USD')
    .slice(0, detailsLimitCharacters);
}

function table(head: string, rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 120);
  const lines = rows.slice(0, listedRows).map((cells) => `| ${cells.map(cell).join('\u00a0\u00a0 | ')} |`);
  const rest = rows.length > listedRows ? `\n\nand ${rows.length - listedRows} more` : '';
  return `${[head, ...lines].join('\n')}${rest}`;
}
