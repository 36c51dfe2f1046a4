import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatProblems, parseInput } from '../domain/parse-input.js';
import { type RunSpec, runSpecSchema } from '../domain/run-spec.js';
import { CommandFailure, exitCodes } from './exit.js';

/** Reads and checks a run spec; `-` is standard input. What is wrong with it ends the command with exit code 2. */
export function readRunSpec(file: string, directory: string): RunSpec {
  const name = file === '-' ? 'standard input' : file;
  const parsed = parseInput(runSpecSchema, parseJson(name, readText(file, directory)));
  if ('problems' in parsed) {
    throw new CommandFailure(formatProblems(name, parsed.problems), exitCodes.badInput);
  }
  return parsed.value;
}

function readText(file: string, directory: string): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(directory, file), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new CommandFailure(
      `${resolve(directory, file)}: ${reason}. Allowed: a JSON file with a run spec, for instance {"recipe":"stylist"}.`,
      exitCodes.badInput,
    );
  }
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new CommandFailure(
      `InvalidInput: ${name}${placeOf(message, text)}: found text that is not JSON (${message}). Allowed: one JSON object, for instance {"recipe":"stylist"}.`,
      exitCodes.badInput,
    );
  }
}

/** Line and column, where the parser says at which character it stopped. */
function placeOf(message: string, text: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position === undefined) return '';
  const before = text.slice(0, Number(position)).split('\n');
  return `, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
