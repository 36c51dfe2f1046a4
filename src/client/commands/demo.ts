import { Command } from 'commander';
import { withInterruption } from '../interruption.js';

export function demoCommand(): Command {
  return new Command('demo')
    .description('Plays the main job in three acts: a model through a crash, a bad candidate, bad data.')
    .option('--keep', 'leave the stack running at the end, until Ctrl-C')
    .option(
      '--home <folder>',
      "its state is started afresh in this folder's demo/ (default: ANNEAL_HOME or .anneal)",
    )
    .addHelpText(
      'after',
      `
Runs on this machine, against the local cloud: no account, no cost. Takes about two minutes.

Examples:
  anneal demo
  anneal demo --keep`,
    )
    .action(({ keep = false, home }: { keep?: boolean; home?: string }) =>
      withInterruption(async (signal) => {
        const { runDemo } = await import('../demo/demo.js');
        await runDemo({ home, keep, signal, print: (line) => console.log(line) });
      }),
    );
}
