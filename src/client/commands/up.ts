import { Command, InvalidArgumentError, Option } from 'commander';
import type { SandboxFaults } from '../../sandbox/admin.js';
import { CommandFailure } from '../exit.js';
import { aborted, withInterruption } from '../interruption.js';
import type { FaultsOption } from '../rehearsal/cloud-options.js';
import { pathFromClone, repositoryRoot } from '../repository-root.js';
import type { Stack } from '../stack/stack.js';
import { temporalCommandLine } from '../temporal-command.js';

interface Options {
  readonly home?: string;
  readonly clockScale?: number;
  readonly training?: 'simulated' | 'real';
  readonly databaseUrl?: string;
  readonly faults?: FaultsOption;
  readonly readings?: string;
  readonly json?: true;
}

/** How fast the local cloud's time passes for a person at a desk. */
export const deskClockScale = 360;
/** What the local cloud spends on finding a machine, fetching and uploading, where the training itself is real. */
const secondsAroundRealTraining = 30;
/** Waits and looks for a person at a desk; the environment may say otherwise. */
const deskEnvironment = { ANNEAL_WAITING_SECONDS: '1,2,5', ANNEAL_LEASE_WATCH_SECONDS: '5' };

export function upCommand(directory: string): Command {
  return new Command('up')
    .description('Starts Temporal with its Web UI, Postgres, the local cloud and a worker, until Ctrl-C.')
    .option('--home <folder>', 'where all state lies (default: ANNEAL_HOME or .anneal)')
    .option(
      '--clock-scale <number>',
      `seconds of the local cloud's time in a real second (default: ${deskClockScale}; 1 with real training)`,
      positive,
    )
    .addOption(
      new Option(
        '--training <how>',
        'how SageMaker training jobs run in the local cloud: by its clock, or really on this machine',
      ).choices(['simulated', 'real']),
    )
    .option('--database-url <url>', 'a Postgres of your own instead of the embedded one')
    .option('--faults [scenario]', 'what goes wrong in the local cloud: a scenario, a fault script, or none')
    .option('--readings <set>', "how AWS's open questions are read: a set's name, a file or JSON")
    .option('--json', 'print one line of JSON when everything is ready, as in stack.json')
    .addHelpText(
      'after',
      `
State survives a stop; "anneal reset" deletes it. Ports that are taken are replaced by free ones.
Addresses also stand in stack.json below the home while everything runs.

A fault script goes on after a restart until "--faults none" ends it; readings hold for one start.
"--faults" alone lists the scenarios; docs/faults.md and docs/assumptions.md say what each of both does.

Examples:
  anneal up
  anneal up --clock-scale 3600          an hour of the local cloud's time in a second
  anneal up --training real             SageMaker's jobs train for real, after "anneal setup local"
  anneal up --faults lost-reply         the first reply to everything that costs money is lost
  anneal up --home /tmp/second          a second stack beside the first`,
    )
    .action((options: Options) => withInterruption((signal) => up(options, directory, signal)));
}

async function up(options: Options, directory: string, signal: AbortSignal): Promise<void> {
  const print = options.json ? console.error : console.log;
  const { chooseFaults, chooseReadings } = await import('../rehearsal/cloud-options.js');
  const faults = chooseFaults(options.faults, directory);
  const readings = chooseReadings(options.readings, directory);
  const { startStack } = await import('../stack/stack.js');
  const stack = await startStack({
    home: options.home,
    ...paceOf(options),
    databaseUrl: options.databaseUrl,
    faults: faults?.argument,
    readings,
    environment: environmentForDesk(),
    signal,
    onProgress: (line) => print(line),
  });
  if (options.json) console.log(JSON.stringify(addresses(stack)));
  else console.log(summary(stack));
  await announceFaults(stack, print);
  const broken = await Promise.race([aborted(signal).then(() => null), stack.broken]);
  print(broken ? 'Stopping what still runs …' : '\nStopping …');
  await stack.stop();
  if (broken) throw new CommandFailure(broken.message);
  print('Stopped. State is kept: "anneal up" goes on with it, "anneal reset" deletes it.');
}

/** A program that really runs takes its own time: an hour's limit must not be over in seconds. */
function paceOf({ training, clockScale }: Options) {
  const isReal = training === 'real';
  return {
    training,
    clockScale: clockScale ?? (isReal ? 1 : deskClockScale),
    trainingHours: isReal ? secondsAroundRealTraining / 3600 : undefined,
  };
}

/** A bad day is never a surprise: also not that of an earlier start. */
async function announceFaults({ awsEndpoint }: Stack, print: (line: string) => void): Promise<void> {
  const response = await fetch(`${awsEndpoint}/_anneal/faults`);
  const { name, faults } = (await response.json()) as SandboxFaults;
  if (faults.length === 0) return;
  print(
    `  FAULTS are played: ${name ?? `${faults.length} of a script`}. "anneal up --faults none" ends them.\n`,
  );
}

/** What the stack's worker gets beside its addresses. */
export function environmentForDesk(): Record<string, string> {
  const missing = Object.entries(deskEnvironment).filter(([name]) => !process.env[name]);
  return Object.fromEntries(missing);
}

function addresses(stack: Stack) {
  const { temporalAddress, namespace, uiUrl, databaseUrl, awsEndpoint, predictUrl } = stack;
  return { temporalAddress, namespace, uiUrl, databaseUrl, awsEndpoint, predictUrl, pids: stack.pids() };
}

function summary(stack: Stack): string {
  const command = (...args: string[]) => `  ${temporalCommandLine(stack, args)}`;
  const start = ['workflow', 'start', '--type', 'fineTune', '--task-queue', 'anneal'];
  const home = pathFromClone(stack.home.path);
  const ofHome = home === '.anneal' ? '' : `ANNEAL_HOME='${home}' `;
  return `
Everything is ready. Ctrl-C stops it.

  Web UI       ${stack.uiUrl}
  Temporal     ${stack.temporalAddress}, namespace ${stack.namespace}
  Postgres     ${stack.databaseUrl}
  Local cloud  ${stack.awsEndpoint} (simulated: nothing here costs money)
  Logs         ${pathFromClone(stack.home.logs)}

In another terminal, in ${repositoryRoot}:

${command(...start, '--workflow-id', 'fine-tune/stylist', '--fail-existing', '--input', '{"recipe":"stylist"}')}
${command('workflow', 'query', '--workflow-id', 'fine-tune/stylist', '--type', 'status')}
${command('workflow', 'result', '--workflow-id', 'fine-tune/stylist')}
  ${ofHome}./anneal sandbox
`;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Allowed: a number above 0, for instance 60.');
  return value;
}
