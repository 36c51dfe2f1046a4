import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { formatUsd } from '../../domain/money.js';
import type { LedgerEntry, SandboxLedger, SandboxState } from '../../sandbox/admin.js';
import { CommandFailure } from '../exit.js';
import { withInterruption } from '../interruption.js';
import { runningStack } from '../stack-addresses.js';
import { alignColumns } from '../table.js';

interface Options {
  readonly home?: string;
  readonly ledger?: true;
  readonly all?: true;
  readonly json?: true;
  readonly watch?: true;
}

export function sandboxCommand(): Command {
  return new Command('sandbox')
    .description('Shows what exists in the local cloud and what it costs.')
    .option('--ledger', 'every create and delete instead, in order')
    .option('--all', 'also what is gone')
    .option('--watch', 'again every two seconds, until Ctrl-C')
    .option('--json', "print the local cloud's own answer")
    .option('--home <folder>', 'whose local cloud (default: ANNEAL_HOME or .anneal)')
    .addHelpText(
      'after',
      `
All amounts are simulated: what AWS would charge.

Examples:
  anneal sandbox
  anneal sandbox --ledger
  anneal sandbox --json | jq .usdPerHour`,
    )
    .action((options: Options) => withInterruption((signal) => show(options, signal)));
}

async function show(options: Options, signal: AbortSignal): Promise<void> {
  do {
    const text = options.ledger ? await ledgerText(options) : await stateText(options);
    if (options.watch && process.stdout.isTTY) process.stdout.write('\u001b[2J\u001b[H');
    console.log(text);
    if (options.watch) await sleep(2000, null, { signal }).catch(() => null);
  } while (options.watch && !signal.aborted);
}

async function stateText(options: Options): Promise<string> {
  const state = await ask<SandboxState>(options, '/_anneal/state');
  if (options.json) return JSON.stringify(state, null, 2);
  const shown = state.resources.filter((resource) => options.all || resource.isLive);
  const rows = shown.map(({ kind, name, status, usdPerHour, hoursBilled, usd, requests }) => [
    kind,
    name,
    status,
    formatUsd(usdPerHour),
    hoursBilled.toFixed(2),
    formatUsd(usd),
    String(requests),
  ]);
  const header = ['kind', 'name', 'status', '$/hour', 'hours', 'cost so far', 'requests'];
  const hidden = state.resources.length - shown.length;
  return [
    `Local cloud, simulated; its time is ${state.time}, ${state.clockScale} times as fast as ours.`,
    rows.length === 0 ? 'Nothing exists.' : alignColumns([header, ...rows]).join('\n'),
    ...(hidden > 0 ? [`${hidden} more are gone (--all shows them).`] : []),
    `Billing now: ${formatUsd(state.usdPerHour)} an hour. Spent so far: ${formatUsd(state.usd)}.`,
  ].join('\n');
}

async function ledgerText(options: Options): Promise<string> {
  const ledger = await ask<SandboxLedger>(options, '/_anneal/ledger');
  if (options.json) return JSON.stringify(ledger, null, 2);
  if (ledger.entries.length === 0) return 'The ledger is empty: nothing was ever created.';
  const header = ['#', 'at', 'action', 'kind', 'name', '$/hour', 'hours', 'cost', 'note'];
  return alignColumns([header, ...ledger.entries.map(ledgerRow)]).join('\n');
}

function ledgerRow(entry: LedgerEntry): string[] {
  return [
    String(entry.sequence),
    entry.at.slice(0, 19),
    entry.action,
    entry.kind,
    entry.name,
    formatUsd(entry.usdPerHour),
    entry.hoursBilled === null ? '' : entry.hoursBilled.toFixed(2),
    entry.usd === null ? '' : formatUsd(entry.usd),
    entry.note ?? '',
  ];
}

async function ask<T>({ home }: Options, path: string): Promise<T> {
  const { awsEndpoint } = runningStack(home);
  if (!awsEndpoint) throw new CommandFailure('The running stack has no local cloud.');
  const request = fetch(`${awsEndpoint}${path}`, { signal: AbortSignal.timeout(10_000) });
  const response = await request.catch((error: Error) => {
    throw new CommandFailure(
      `The local cloud at ${awsEndpoint} does not answer (${error.cause instanceof Error ? error.cause.message : error.message}). Remedy: stop and start the stack.`,
    );
  });
  if (!response.ok) throw new CommandFailure(`The local cloud answered ${response.status} to ${path}.`);
  return (await response.json()) as T;
}
