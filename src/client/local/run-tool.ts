import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { StackInterrupted } from '../stack/stack-error.js';

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

export interface ToolResult {
  /** Null when the program could not be started. */
  readonly exitCode: number | null;
  /** The end of what it printed. */
  readonly output: string;
}

/** Runs a program with the environment of the person, so that proxies and package indexes are theirs. */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  mkdirSync(dirname(run.logPath), { recursive: true });
  appendFileSync(run.logPath, `\n$ ${run.command} ${run.args.join(' ')}\n`);
  const program = execa(run.command, run.args, {
    cwd: run.cwd,
    env: run.environment,
    stdin: 'ignore',
    all: true,
    reject: false,
    cancelSignal: run.signal,
    maxBuffer: { all: 100_000 },
    buffer: false,
  });
  let output = '';
  for await (const line of program.iterable({ from: 'all' })) {
    appendFileSync(run.logPath, `${line}\n`);
    output = `${output}${line}\n`.slice(-65_536);
    run.onLine?.(line);
  }
  const { exitCode, isCanceled, message } = (await program) as {
    exitCode?: number;
    isCanceled: boolean;
    message?: string;
  };
  if (isCanceled) throw new StackInterrupted();
  return { exitCode: exitCode ?? null, output: output || (message ?? '') };
}
