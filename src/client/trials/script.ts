import { resolve } from 'node:path';
import { type Command, CommanderError, InvalidArgumentError } from 'commander';
import { PermanentFailure } from '../../domain/failures.js';
import { CommandFailure, exitCodes } from '../exit.js';
import { withInterruption } from '../interruption.js';
import { repositoryRoot } from '../repository-root.js';

const invocationDirectory = (process.env.npm_lifecycle_event && process.env.INIT_CWD) || process.cwd();

/** Parses the command line, runs the work, and ends the process with the exit code that fits. */
export async function runScript<Options>(
  command: Command,
  work: (options: Options, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  process.chdir(repositoryRoot);
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const exitCode = await withInterruption((signal) => exitCodeOf(command, work, signal));
  // The stack is stopped; whatever still waits for it in this process waits in vain.
  process.exit(exitCode);
}

/** A path as the person typed it, who may stand in another folder. */
export function asTyped(path: string): string {
  return resolve(invocationDirectory, path);
}

async function exitCodeOf<Options>(
  command: Command,
  work: (options: Options, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  try {
    command.exitOverride().parse();
    await work(command.opts<Options & object>(), signal);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
    }
    if (signal.aborted) {
      console.error('Interrupted; everything that had been started is stopped.');
      return exitCodes.interrupted;
    }
    console.error(error instanceof Error && !process.env.ANNEAL_DEBUG ? error.message : error);
    if (error instanceof CommandFailure) return error.exitCode;
    const isBadInput = error instanceof PermanentFailure && error.type === 'InvalidInput';
    return isBadInput ? exitCodes.badInput : exitCodes.failure;
  }
}

/** A parser for an option that takes a whole number within bounds. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}
