import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../input.js';
import type { Fate } from './fate.js';
import { type CheckedScript, parseFaultScript } from './script.js';

export interface KeptFaults {
  /** Sandbox time. */
  readonly installedAt: number;
  readonly script: CheckedScript;
  readonly fates: readonly Fate[];
}

/** Keeps the script and what has befallen resources in the state directory. */
export class FaultStore {
  readonly #path: string;

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'faults.json');
  }

  read(): KeptFaults | null {
    if (!existsSync(this.#path)) return null;
    const kept = parseJson(readFileSync(this.#path, 'utf8'), this.#path) as KeptFaults;
    return { ...kept, script: parseFaultScript(kept.script, this.#path) };
  }

  write(kept: KeptFaults): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(kept));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
