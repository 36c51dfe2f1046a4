import { formatUsd } from '../../domain/money.js';
import type { SandboxResource } from '../../sandbox/admin.js';
import { tableLines } from '../table.js';
import type { Rehearsal } from './rehearse.js';

const hoursInMonth = 730;

/** Whether a rehearsal showed what it is to show: an end, and nothing that bills without an owner. */
export function isClean({ ended, leftBilling }: Pick<Rehearsal, 'ended' | 'leftBilling'>): boolean {
  return ended && leftBilling.length === 0;
}

/** What a person wants to know after one rehearsal. */
export function reportLines(rehearsal: Rehearsal, playsFaults: boolean): string[] {
  const { outcome, failure, cloudHours, seconds, spendUsd } = rehearsal;
  return [
    '',
    rehearsal.ended
      ? `  Outcome: ${outcome}`
      : '  The run did not end in the time that its deadlines leave it, and was given up.',
    ...(failure ? [`  ${failure.replaceAll('\n', '\n  ')}`] : []),
    `  It took ${cloudHours.toFixed(1)} h of the cloud's time, ${seconds.toFixed(0)} s of yours.`,
    `  Bought, by the cloud's ledger: ${boughtText(rehearsal)}`,
    `  Spend (simulated): ${formatUsd(spendUsd)}`,
    '',
    ...(playsFaults ? faultLines(rehearsal) : []),
    ...billingLines(rehearsal),
  ];
}

const words: Readonly<Record<string, string>> = {
  trainingJob: 'training job',
  customModel: 'model',
  provisionedThroughput: 'provisioned throughput',
};

function boughtText({ bought }: Rehearsal): string {
  const parts = Object.entries(bought).map(
    ([kind, count]) => `${count} ${words[kind] ?? kind}${count > 1 ? 's' : ''}`,
  );
  return parts.join(', ') || 'nothing';
}

function faultLines({ firedFaults, startedAt }: Rehearsal): string[] {
  if (firedFaults.length === 0) {
    return [
      '  No fault happened: the run made none of the calls that the script waits for, in its time.',
      '',
    ];
  }
  const groups = new Map<string, { count: number; at: string }>();
  for (const { operation, kind, at } of firedFaults) {
    const name = `${kind} on ${operation}`;
    const group = groups.get(name);
    groups.set(name, { count: (group?.count ?? 0) + 1, at: group?.at ?? at });
  }
  return [
    "  Faults that happened (the local cloud's own log):",
    ...[...groups].map(
      ([name, { count, at }]) => `    ${count} × ${name}, first after ${minutesText(startedAt, at)}`,
    ),
    '',
  ];
}

function minutesText(from: string, to: string): string {
  return `${((Date.parse(to) - Date.parse(from)) / 60_000).toFixed(0)} min`;
}

function billingLines({ champion, leftBilling }: Rehearsal): string[] {
  const lines = ['  What would still bill:'];
  for (const resource of champion) lines.push(`    ${resourceText(resource)} (champion)`);
  for (const resource of leftBilling) lines.push(`    ${resourceText(resource)}  <- LEFT BEHIND`);
  if (lines.length === 1) lines.push('    nothing');
  else if (leftBilling.length === 0) lines.push('  Nothing but the champion.');
  return lines;
}

export function resourceText({ kind, name, status, usdPerHour }: SandboxResource): string {
  const month = formatUsd(usdPerHour * hoursInMonth);
  return `${kind} ${name}, ${status}: ${formatUsd(usdPerHour)} an hour, ${month} a month`;
}

/** One line for each scenario, and below what went wrong. */
export function scenarioTable(played: ReadonlyMap<string, Rehearsal>): string[] {
  const rows = [...played].map(([scenario, rehearsal]) => [
    scenario,
    rehearsal.outcome,
    String(rehearsal.firedFaults.length),
    rehearsal.cloudHours.toFixed(1),
    rehearsal.seconds.toFixed(0),
    formatUsd(rehearsal.spendUsd),
    rehearsal.leftBilling.length === 0 ? 'nothing' : `${rehearsal.leftBilling.length} LEFT BEHIND`,
  ]);
  const head = [
    'scenario',
    'outcome',
    'faults',
    'cloud hours',
    'seconds',
    'spend (simulated)',
    'left billing',
  ];
  const left = [...played].flatMap(([scenario, { leftBilling }]) =>
    leftBilling.map((resource) => `  ${scenario} left ${resourceText(resource)}`),
  );
  return [...tableLines([head, ...rows]), ...(left.length > 0 ? ['', ...left] : [])];
}
