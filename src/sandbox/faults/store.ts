import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxFiredFault } from '../admin.js';
import { Journal } from '../journal.js';
import type { Fate } from './fate.js';
import { type CheckedScript, parseFaultScript } from './script.js';

/** Everything about faults that outlives a restart. */
export interface KeptFaults {
  /** Sandbox time. */
  readonly installedAt: number;
  readonly script: CheckedScript;
  /** For each rule of the script: calls that it matched, and calls that it befell. */
  readonly counts: { matched: number; fired: number }[];
  readonly fates: Fate[];
  /** The newest lines of what happened. */
  readonly log: SandboxFiredFault[];
  /** How many lines the log has had. */
  logged: number;
}

/** One line of the file: all at once, or what one call changed. */
type Line =
  | { readonly kept: KeptFaults }
  | { readonly matched: readonly number[]; readonly fired: readonly number[] }
  | { readonly logged: SandboxFiredFault }
  | { readonly fate: Fate }
  | { readonly fateIsOver: FateKey };

/** What tells one fate from another. */
type FateKey = Pick<Fate, 'arn' | 'rule' | 'at'>;

export const longestLog = 10_000;
/** So many lines, and they are written anew as one. */
const mostLines = 100_000;

/** Keeps script, counts, log and fates in the state directory: each change is one line, appended. */
export class FaultStore {
  readonly #path: string;
  #journal: Journal<Line> | null = null;
  #lines = 0;

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'faults.jsonl');
  }

  read(): KeptFaults | null {
    if (!existsSync(this.#path)) return null;
    let kept: KeptFaults | null = null;
    new Journal<Line>(this.#path, (line) => {
      if ('kept' in line) kept = line.kept;
      else if (kept) apply(kept, line);
    }).close();
    const found = kept as KeptFaults | null;
    return found && { ...found, script: parseFaultScript(found.script, this.#path) };
  }

  /** Writes everything anew. */
  write(kept: KeptFaults): void {
    this.#journal?.close();
    writeFileSync(`${this.#path}.new`, `${JSON.stringify({ kept } satisfies Line)}\n`);
    renameSync(`${this.#path}.new`, this.#path);
    this.#journal = new Journal<Line>(this.#path, () => {});
    this.#lines = 1;
  }

  /** Writes one change that has been made to `kept` already. */
  append(line: Line, kept: KeptFaults): void {
    if (!this.#journal) return;
    if (this.#lines >= mostLines) {
      this.write(kept);
      return;
    }
    this.#journal.append(line, false);
    this.#lines += 1;
  }

  close(): void {
    this.#journal?.close();
    this.#journal = null;
  }
}

function apply(kept: KeptFaults, line: Exclude<Line, { kept: KeptFaults }>): void {
  if ('matched' in line) {
    for (const index of line.matched) count(kept, index, 'matched');
    for (const index of line.fired) count(kept, index, 'fired');
  } else if ('logged' in line) {
    addToLog(kept, line.logged);
  } else if ('fate' in line) {
    removeFate(kept, line.fate);
    kept.fates.push(line.fate);
  } else {
    removeFate(kept, line.fateIsOver);
  }
}

export function count(kept: KeptFaults, index: number, what: 'matched' | 'fired'): number {
  const counted = kept.counts[index];
  if (!counted) return 0;
  counted[what] += 1;
  return counted[what];
}

export function addToLog(kept: KeptFaults, line: SandboxFiredFault): void {
  kept.log.push(line);
  kept.logged = line.sequence;
  if (kept.log.length > longestLog) kept.log.shift();
}

function removeFate({ fates }: KeptFaults, { arn, rule, at }: FateKey): void {
  const index = fates.findIndex((fate) => fate.arn === arn && fate.rule === rule && fate.at === at);
  if (index >= 0) fates.splice(index, 1);
}
