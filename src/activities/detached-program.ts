import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface DetachedProgram {
  readonly python: string;
  /** The program's file. Absolute. */
  readonly program: string;
  /** Its one argument, as JSON. */
  readonly settings: unknown;
  readonly folder: string;
  /** Takes what it prints. Absolute. */
  readonly logFile: string;
}

/** Starts a Python program in a session of its own, so that it outlives the worker and every signal to its terminal. */
export async function startDetached({
  python,
  program,
  settings,
  folder,
  logFile,
}: DetachedProgram): Promise<ChildProcess> {
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(python, ['-I', program, JSON.stringify(settings)], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}
