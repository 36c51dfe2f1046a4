import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidInput, parseJson, refusal } from '../input.js';
import { type CheckedScript, parseFaultScript } from './script.js';

const directory = fileURLToPath(new URL('./scenarios/', import.meta.url));

export function scenarioNames(): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** A named scenario's script; its file's name is its name. */
export function loadScenario(name: string): CheckedScript {
  const names = scenarioNames();
  if (!names.includes(name)) throw new InvalidInput(`The scenario: ${refusal(name, names)}`);
  return { ...readScript(`${directory}${name}.json`), name };
}

/** Reads what `--faults` names: a file, or else a scenario; `none` ends the script of an earlier start. */
export function loadFaults(fileOrScenario: string): CheckedScript {
  if (fileOrScenario === 'none') return { faults: [] };
  if (existsSync(fileOrScenario)) return readScript(fileOrScenario);
  if (!/[./\\]/.test(fileOrScenario)) return loadScenario(fileOrScenario);
  throw new InvalidInput(
    `There is no file ${fileOrScenario}; give a fault script's path, or a scenario: ${scenarioNames().join(', ')}.`,
  );
}

function readScript(path: string): CheckedScript {
  return parseFaultScript(parseJson(readFileSync(path, 'utf8'), path), path);
}
