import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Home } from './home.js';

/** What `stack.json` says: where everything answers, and which processes do. Scripts read it: keep it stable. */
export interface StackFile {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly uiUrl: string;
  readonly databaseUrl: string;
  readonly awsEndpoint: string | null;
  readonly predictUrl: string | null;
  readonly pids: Readonly<Record<string, number>>;
}

/** Written beside its place and moved there, so that no reader sees half of it. */
export function writeStackFile(home: Home, contents: StackFile): void {
  const draft = `${home.stackFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(contents, null, 2)}\n`);
  renameSync(draft, home.stackFile);
}

export function removeStackFile(home: Home): void {
  rmSync(home.stackFile, { force: true });
}

export function readStackFile(home: Home): StackFile | null {
  try {
    return JSON.parse(readFileSync(home.stackFile, 'utf8')) as StackFile;
  } catch {
    return null;
  }
}
