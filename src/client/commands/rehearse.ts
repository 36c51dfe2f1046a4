import { Command, InvalidArgumentError } from 'commander';
import type { RunSpec } from '../../domain/run-spec.js';
import { CommandFailure, exitCodes } from '../exit.js';
import { withInterruption } from '../interruption.js';
import type { FaultsOption } from '../rehearsal/cloud-options.js';
import type { Rehearsal, RehearsalOptions } from '../rehearsal/rehearse.js';
import { readRunSpec } from '../run-spec-file.js';

interface Options {
  readonly faults?: FaultsOption;
  readonly readings?: string;
  readonly clock: number;
  readonly home?: string;
  readonly approve?: true;
}

/** Fast enough for eight hours in forty seconds, slow enough for faults that last for half an hour. */
const rehearsalClockScale = 720;
const largestClockScale = 10_000;

export function rehearseCommand(directory: string): Command {
  return new Command('rehearse')
    .description('Plays a run against a throwaway local cloud, on a good day or a bad one. Costs nothing.')
    .argument('<run.json>', 'a run spec, or - for standard input')
    .option(
      '--faults [scenario]',
      'what goes wrong: a scenario, a fault script, or all; nothing unless given',
    )
    .option('--readings <set>', "how AWS's open questions are read: a set's name, a file or JSON")
    .option(
      '--clock <scale>',
      "seconds of the cloud's time in a real second",
      clockScale,
      rehearsalClockScale,
    )
    .option('--approve', 'approve by itself where the run spec asks a person')
    .option(
      '--home <folder>',
      "its state is started afresh in this folder's rehearsal/ (default: ANNEAL_HOME or .anneal)",
    )
    .addHelpText(
      'after',
      `
Everything is simulated, on this machine: no account, no cost. The run goes the production way, with its own
Temporal, Postgres, worker and local cloud, which starts empty. "--faults" alone lists the scenarios.

Exit codes: 0 the run ended and nothing is left billing but the champion, 1 otherwise, 2 wrong usage or a bad
run spec, 130 interrupted. A run that fails as it should has ended.

Examples:
  anneal rehearse run.json
  anneal rehearse run.json --faults lost-reply
  anneal rehearse run.json --faults all
  anneal rehearse run.json --faults bad-day.json --clock 120
  echo '{"recipe":"stylist"}' | anneal rehearse - --readings slow-lists`,
    )
    .action((file: string, options: Options) =>
      withInterruption((signal) => run(file, options, directory, signal)),
    );
}

async function run(file: string, options: Options, directory: string, signal: AbortSignal): Promise<void> {
  const { chooseFaults, chooseReadings } = await import('../rehearsal/cloud-options.js');
  const playsAll = options.faults === 'all';
  const faults = playsAll ? null : chooseFaults(options.faults, directory);
  const readings = chooseReadings(options.readings, directory);
  const spec = readRunSpec(file, directory);
  const { resolveOffline } = await import('../resolve-offline.js');
  const resolved = resolveOffline(spec);
  refuseForeignData(spec);
  if (playsAll && resolved.approval !== 'none' && !options.approve) {
    throw new CommandFailure(
      `--faults all: the run spec asks a person (approval: "${resolved.approval}") in every scenario. Remedy: add --approve.`,
      exitCodes.badInput,
    );
  }
  const base: RehearsalOptions = {
    spec,
    resolved,
    faults: faults?.script ?? null,
    readings,
    clockScale: options.clock,
    home: options.home,
    approve: options.approve === true,
    signal,
    print: (line) => console.log(line),
  };
  console.log(
    'A rehearsal: everything bought here is simulated by the local cloud; no AWS account is involved.',
  );
  if (playsAll) await rehearseAll(base);
  else await rehearseOnce(base, faults?.script.name ?? (faults ? String(options.faults) : null));
}

async function rehearseOnce(options: RehearsalOptions, scenario: string | null): Promise<void> {
  const { rehearse } = await import('../rehearsal/rehearse.js');
  const { isClean, reportLines } = await import('../rehearsal/report.js');
  const { description } = options.faults ?? {};
  console.log(scenario ? `Faults: ${scenario}. ${description ?? ''}\n` : 'Faults: none.\n');
  const rehearsal = await rehearse(options);
  for (const line of reportLines(rehearsal, options.faults !== null)) console.log(line);
  if (!isClean(rehearsal)) throw new CommandFailure(`\n${complaint(rehearsal)}`);
}

async function rehearseAll(options: RehearsalOptions): Promise<void> {
  const { rehearse } = await import('../rehearsal/rehearse.js');
  const { isClean, scenarioTable } = await import('../rehearsal/report.js');
  const { scenarios } = await import('../rehearsal/cloud-options.js');
  const played = new Map<string, Rehearsal>();
  for (const { name, description, faults } of scenarios()) {
    console.log(`\n${name}: ${description}`);
    const rehearsal = await rehearse({ ...options, faults: { name, faults: [...faults] }, print: () => {} });
    played.set(name, rehearsal);
    console.log(`  ${rehearsal.outcome}${rehearsal.failure ? `: ${rehearsal.failure.split('\n')[0]}` : ''}`);
  }
  console.log('');
  for (const line of scenarioTable(played)) console.log(line);
  const unclean = [...played].filter(([, rehearsal]) => !isClean(rehearsal));
  if (unclean.length === 0) return;
  const list = unclean.map(([name, rehearsal]) => `  ${name}: ${complaint(rehearsal)}`);
  throw new CommandFailure(`\nNot as it should be:\n${list.join('\n')}`);
}

function complaint({ ended, leftBilling }: Rehearsal): string {
  const problems = [
    ...(ended ? [] : ['the run did not end']),
    ...(leftBilling.length > 0 ? [`left billing: ${leftBilling.map(({ name }) => name).join(', ')}`] : []),
  ];
  return `${problems.join('; ')}.`;
}

/** The throwaway cloud starts empty: what lies in somebody's bucket is not in it. */
function refuseForeignData({ dataset }: RunSpec): void {
  const source = dataset?.source;
  const stored = JSON.stringify(source ?? null).match(/"(s3:\/\/[^"]*)"/)?.[1];
  if (!stored) return;
  throw new CommandFailure(
    `dataset.source: found ${stored}, which the rehearsal's own empty cloud does not have; allowed: data on this machine. Remedy: download it, and name the file in a copy of the run spec.`,
    exitCodes.badInput,
  );
}

function clockScale(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= largestClockScale)) {
    throw new InvalidArgumentError(
      `Allowed: a number above 0, up to ${largestClockScale}, for instance 720.`,
    );
  }
  return value;
}
