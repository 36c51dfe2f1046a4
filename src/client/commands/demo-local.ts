import { Command, InvalidArgumentError } from 'commander';
import { withInterruption } from '../interruption.js';

interface Options {
  readonly home?: string;
  readonly busyMachine?: boolean;
  readonly steps: number;
  readonly shuffledSteps: number;
  readonly batchSize: number;
}

/** Enough for an epoch of either run. */
const records = 240;

export function demoLocalCommand(): Command {
  return new Command('demo-local')
    .description(
      'Trains, converts, serves and judges a real model on this machine, after set-up where needed.',
    )
    .option('--home <folder>', 'where tools and state lie (default: ANNEAL_HOME or .anneal)')
    .option('--busy-machine', 'report how long answers take without judging it')
    .option('--steps <number>', 'training steps of the first model', wholeNumber, 170)
    .option('--shuffled-steps <number>', 'training steps of the model with shuffled scores', wholeNumber, 50)
    .option('--batch-size <number>', 'records a step', wholeNumber, 1)
    .addHelpText(
      'after',
      `
Installs what "anneal setup local" installs where it is missing. A model of 135 million parameters learns to score
invented profiles; the rate of right answers before and after is shown. Then it learns from shuffled scores, and
the gates must refuse it. Ctrl-C leaves nothing running.

Examples:
  anneal demo-local
  anneal demo-local --busy-machine --steps 400`,
    )
    .action(({ home, busyMachine = false, steps, shuffledSteps, batchSize }: Options) =>
      withInterruption(async (signal) => {
        const { runLocalDemo } = await import('../demo/local/demo.js');
        await runLocalDemo({
          home,
          isMachineBusy: busyMachine,
          size: { records, steps, shuffledSteps, batchSize },
          signal,
          print: (line) => console.log(line),
        });
      }),
    );
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Allowed: a whole number above 0.');
}
