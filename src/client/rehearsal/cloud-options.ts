import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SandboxFaultScenarios } from '../../sandbox/admin.js';
import { listScenarios } from '../../sandbox/faults/admin.js';
import { loadFaults, scenarioNames } from '../../sandbox/faults/scenarios.js';
import type { CheckedScript } from '../../sandbox/faults/script.js';
import { InvalidInput, refusal } from '../../sandbox/input.js';
import { parseReadings, readingSetNames } from '../../sandbox/readings.js';
import { CommandFailure, exitCodes } from '../exit.js';

/** What `--faults` was given: text, or true where it stood without a value. */
export type FaultsOption = string | true | undefined;

/** A checked `--faults`: what the local cloud's own option takes, and the script that it means. */
export interface ChosenFaults {
  readonly argument: string;
  readonly script: CheckedScript;
}

/**
 * Checks `--faults` before anything is started: a file as the person typed it, or a scenario's name. Nothing
 * and unknown names end the command with the list of scenarios and exit code 2.
 */
export function chooseFaults(given: FaultsOption, directory: string): ChosenFaults | null {
  if (given === undefined) return null;
  if (given === true) throw badInput(`--faults names a scenario or a file.\n${scenarioList()}`);
  const path = resolve(directory, given);
  const isFile = existsSync(path);
  const isName = !/[./\\]/.test(given);
  if (!isFile && isName && given !== 'none' && !scenarioNames().includes(given)) {
    throw badInput(`--faults: ${refusal(given, scenarioNames())}\n${scenarioList()}`);
  }
  const argument = isFile || !isName ? path : given;
  return { argument, script: checked(() => loadFaults(argument)) };
}

/** Checks `--readings`: JSON, a file as the person typed it, or the name of a set. */
export function chooseReadings(given: string | undefined, directory: string): string | undefined {
  if (given === undefined) return undefined;
  const isText = given.trimStart().startsWith('{') || readingSetNames().includes(given);
  const argument = isText ? given : resolve(directory, given);
  checked(() => parseReadings(argument));
  return argument;
}

function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidInput) throw badInput(error.message);
    throw error;
  }
}

export function scenarios(): SandboxFaultScenarios['scenarios'] {
  return listScenarios().scenarios;
}

/** Every scenario with its sentence, for help and for mistakes. */
export function scenarioList(): string {
  const all = scenarios();
  const width = Math.max(...all.map(({ name }) => name.length));
  return [
    'Scenarios:',
    ...all.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`),
    'A file of your own: see docs/faults.md.',
  ].join('\n');
}

function badInput(message: string): CommandFailure {
  return new CommandFailure(message, exitCodes.badInput);
}
