import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { CommandFailure, exitCodes } from '../exit.js';
import { type Home, homeAt, statePaths } from '../stack/home.js';
import { takeHome } from '../stack/ownership.js';

interface Options {
  readonly home?: string;
  readonly yes?: true;
}

export function resetCommand(): Command {
  return new Command('reset')
    .description('Deletes all state of a stack: workflows, registry, the local cloud with its objects, logs.')
    .option('--home <folder>', 'whose state (default: ANNEAL_HOME or .anneal)')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
Refuses while the stack runs. Installed tools below .anneal stay. Nothing outside the home is touched: a
database given with --database-url, or real AWS, keeps what it has.

Examples:
  anneal reset
  anneal reset --yes`,
    )
    .action((options: Options) => reset(homeAt(options.home), options.yes === true));
}

async function reset(home: Home, isAgreed: boolean): Promise<void> {
  const paths = statePaths(home).filter(existsSync);
  if (paths.length === 0) return console.log(`There is nothing to delete in ${home.path}.`);
  const ownership = await takeHome(home, (count) => console.log(`Ended ${count} forgotten processes.`));
  try {
    if (!isAgreed && !(await agrees(home))) return console.log('Nothing was deleted.');
    for (const path of paths) rmSync(path, { recursive: true, force: true });
    console.log(`Deleted all state in ${home.path}.`);
  } finally {
    ownership.release();
  }
}

async function agrees(home: Home): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandFailure(
      'Nothing was deleted: there is no terminal to ask on. Remedy: say "anneal reset --yes".',
      exitCodes.badInput,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const question = `Delete every workflow, model, object and log in ${home.path}? This cannot be undone. [y/N] `;
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
