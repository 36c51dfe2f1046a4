import { existsSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { PermanentFailure } from '../domain/failures.js';
import { budgetCommand } from './commands/budget.js';
import { demoCommand } from './commands/demo.js';
import { demoLocalCommand } from './commands/demo-local.js';
import { estimateCommand } from './commands/estimate.js';
import { explainCommand } from './commands/explain.js';
import { migrateCommand } from './commands/migrate.js';
import { rehearseCommand } from './commands/rehearse.js';
import { reportCommand } from './commands/report.js';
import { resetCommand } from './commands/reset.js';
import { sandboxCommand } from './commands/sandbox.js';
import { searchAttributesCommand } from './commands/search-attributes.js';
import { setupCommand } from './commands/setup.js';
import { upCommand } from './commands/up.js';
import { workerCommand } from './commands/worker.js';
import { CommandFailure, exitCodes } from './exit.js';
import { repositoryRoot } from './repository-root.js';
import { StackError, StackInterrupted } from './stack/stack-error.js';

/** Where the person is: relative paths on the command line start here, everything else at the clone. */
const invocationDirectory = (process.env.npm_lifecycle_event && process.env.INIT_CWD) || process.cwd();

process.chdir(repositoryRoot);
if (existsSync('.env')) process.loadEnvFile('.env');
process.exitCode = await run();

async function run(): Promise<number> {
  try {
    await program().parseAsync();
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    return report(error);
  }
}

function program(): Command {
  const anneal = new Command('anneal')
    .description('Runs the whole life of a fine-tuned language model as durable Temporal workflows.')
    .addHelpText(
      'after',
      `
Examples:
  anneal demo                  the whole story in three acts, on this machine, without an account
  anneal up                    Temporal, Postgres, the local cloud and a worker, until Ctrl-C
  anneal explain run.json      every default of a run, and where it comes from
  anneal rehearse run.json     a run on a bad day, simulated, before it costs money

Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted.`,
    )
    .showHelpAfterError('(anneal --help, or anneal COMMAND --help, says what there is)');
  for (const command of commands()) anneal.addCommand(command);
  for (const command of [anneal, ...anneal.commands]) command.exitOverride();
  return anneal;
}

function commands(): Command[] {
  return [
    demoCommand(),
    demoLocalCommand(),
    upCommand(invocationDirectory),
    explainCommand(invocationDirectory),
    estimateCommand(invocationDirectory),
    budgetCommand(),
    rehearseCommand(invocationDirectory),
    sandboxCommand(),
    reportCommand(invocationDirectory),
    workerCommand(),
    migrateCommand(),
    searchAttributesCommand(),
    setupCommand(invocationDirectory),
    resetCommand(),
  ];
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
  }
  if (error instanceof StackInterrupted) {
    console.error('Interrupted; everything that had been started is stopped.');
    return exitCodes.interrupted;
  }
  if (error instanceof CommandFailure || error instanceof StackError) {
    console.error(error.message);
    return error instanceof CommandFailure ? error.exitCode : exitCodes.failure;
  }
  if (error instanceof PermanentFailure) {
    console.error(error.message);
    return error.type === 'InvalidInput' || error.type === 'DatasetRejected'
      ? exitCodes.badInput
      : exitCodes.failure;
  }
  console.error(error instanceof Error && !process.env.ANNEAL_DEBUG ? error.message : error);
  return exitCodes.failure;
}
