import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError, StackInterrupted } from './stack-error.js';

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logPath: string;
  /** Another user to run as, for programs that refuse root. */
  readonly userId?: number;
  /** What the program reads on its standard input. */
  readonly input?: string;
  /** Asks the program to end; SIGTERM to its whole group unless given. */
  readonly stopSignal?: NodeJS.Signals;
  readonly stopTarget?: 'group' | 'leader';
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program in a process group of its own, so that Ctrl-C reaches it only through us. */
export class ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  readonly exited: Promise<ProcessExit>;
  /** True once somebody here asked for its end: any other exit is news. */
  stopping = false;
  readonly #child: ChildProcess;
  readonly #options: ProcessOptions;
  readonly #logStart: number;

  private constructor(child: ChildProcess, options: ProcessOptions, logStart: number) {
    this.name = options.name;
    this.pid = child.pid as number;
    this.logPath = options.logPath;
    this.#child = child;
    this.#options = options;
    this.#logStart = logStart;
    this.exited = new Promise((resolve) =>
      child.once('exit', (code, signal) => {
        // Descendants that the program left behind would otherwise outlive it.
        signalGroup(this.pid, 'SIGKILL');
        resolve({ code, signal });
      }),
    );
  }

  static async start(options: ProcessOptions): Promise<ManagedProcess> {
    mkdirSync(dirname(options.logPath), { recursive: true });
    const logStart = existsSync(options.logPath) ? statSync(options.logPath).size : 0;
    const log = openSync(options.logPath, 'a');
    try {
      const child = spawn(options.command, [...options.args], {
        cwd: options.cwd,
        env: options.env,
        detached: true,
        stdio: [options.input === undefined ? 'ignore' : 'pipe', log, log],
        ...(options.userId === undefined ? {} : { uid: options.userId, gid: options.userId }),
      });
      if (child.pid === undefined) throw await startFailure(child, options);
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input);
      return new ManagedProcess(child, options, logStart);
    } finally {
      closeSync(log);
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get stopSignal(): NodeJS.Signals {
    return this.#options.stopSignal ?? 'SIGTERM';
  }

  get stopTarget(): 'group' | 'leader' {
    return this.#options.stopTarget ?? 'group';
  }

  /** What the program wrote since it was started. */
  output(): string {
    return readFileSync(this.logPath).subarray(this.#logStart).toString('utf8');
  }

  /** Asks, and insists with SIGKILL after the grace. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    if (this.stopTarget === 'group') signalGroup(this.pid, this.stopSignal);
    else this.#child.kill(this.stopSignal);
    const patience = new AbortController();
    await Promise.race([this.exited, sleep(graceMs, null, { signal: patience.signal }).catch(() => null)]);
    patience.abort();
    await this.kill();
  }

  async kill(): Promise<void> {
    this.stopping = true;
    signalGroup(this.pid, 'SIGKILL');
    await this.exited;
  }

  /** Waits until `probe` finds what it looks for; fails with the program's own words when it ends before. */
  async until<T>(
    probe: () => Promise<T | null> | T | null,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (signal?.aborted) throw new StackInterrupted();
      const found = await probe();
      if (found !== null) return found;
      if (!this.isRunning) throw await this.#earlyExit();
      if (Date.now() > deadline) throw this.#failure(`is not ready after ${timeoutMs / 1000} s`);
      await sleep(20);
    }
  }

  async #earlyExit(): Promise<StackError> {
    const { code, signal } = await this.exited;
    return this.#failure(`ended with ${signal ?? `exit code ${code}`} while starting`);
  }

  #failure(what: string): StackError {
    return new StackError(`${this.name} ${what}.${lastWords(this.output())} See ${this.logPath}.`);
  }
}

/** The end of a program's output, ready to be put into a message. */
export function lastWords(output: string): string {
  const lines = output.trimEnd().split('\n').slice(-6).join('\n  ').slice(-1500);
  return lines.trim() === '' ? '' : ` Its last words:\n  ${lines}\n`;
}

export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

async function startFailure(child: ChildProcess, options: ProcessOptions): Promise<StackError> {
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
  return new StackError(`${options.name} could not be started: ${options.command} (${error.code}).`);
}
