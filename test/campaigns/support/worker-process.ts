import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface WorkerPairOptions {
  /** A JavaScript file: worker-main.ts in one piece. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly logPath: string;
}

/**
 * A worker process that is replaced the moment it dies, by a spare that is loaded and connected already.
 * Whatever kills it: the campaign with `kill`, or the process itself at a point where it was told to.
 */
export class WorkerPair {
  /** How many workers have died since the start, by whatever killed them. */
  deaths = 0;
  #isClosed = false;
  readonly #children = new Set<ChildProcess>();
  #current: ChildProcess;
  #spare: Promise<ChildProcess>;
  #replaced: Promise<void> = Promise.resolve();
  readonly #failures: string[] = [];

  private constructor(
    private readonly options: WorkerPairOptions,
    first: ChildProcess,
  ) {
    this.#current = first;
    this.#employ(first);
    this.#spare = this.#prepare();
  }

  static async start(options: WorkerPairOptions): Promise<WorkerPair> {
    mkdirSync(dirname(options.logPath), { recursive: true });
    const child = launch(options);
    try {
      await readiness(child, options.logPath);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return new WorkerPair(options, child);
  }

  get pid(): number {
    return this.#current.pid ?? 0;
  }

  /** Why a replacement did not come up; the lane is dead then. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** As a power cut would; the spare takes over at once. Resolves when the process is dead. */
  async kill(): Promise<void> {
    await this.#replaced;
    const child = this.#current;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Stops the process in its tracks: it neither works nor notices. */
  stop(): void {
    this.#current.kill('SIGSTOP');
  }

  continue(): void {
    this.#current.kill('SIGCONT');
  }

  /**
   * Lets the spare work beside the current worker, which may be stopped: a zombie. Returns what wakes the old
   * one and what ends it.
   */
  async takeOver(): Promise<{ wake(): void; end(): void }> {
    const old = this.#current;
    old.removeAllListeners('exit');
    this.#current = await this.#spare;
    this.#employ(this.#current);
    this.#spare = this.#prepare();
    return { wake: () => old.kill('SIGCONT'), end: () => old.kill('SIGKILL') };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#spare.catch(() => null);
    const running = [...this.#children].filter((child) => child.exitCode === null && !child.signalCode);
    await Promise.all(
      running.map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  }

  #employ(child: ChildProcess): void {
    this.#children.add(child);
    child.once('exit', () => {
      this.#replaced = this.#replace(child);
    });
    child.send('work', () => {});
  }

  async #replace(dead: ChildProcess): Promise<void> {
    this.#children.delete(dead);
    this.deaths += 1;
    if (this.#isClosed) return;
    try {
      const next = await this.#spare;
      if (this.#isClosed) return;
      this.#current = next;
      this.#employ(next);
      this.#spare = this.#prepare();
    } catch (error) {
      this.#failures.push(String(error));
    }
  }

  #prepare(): Promise<ChildProcess> {
    const child = launch(this.options);
    this.#children.add(child);
    const prepared = readiness(child, this.options.logPath).then(() => child);
    // Whoever needs the spare sees the failure.
    prepared.catch(() => {});
    return prepared;
  }
}

/** In a process group of its own, so that Ctrl-C reaches it only through us; it ends when we are gone. */
function launch({ program, environment, logPath }: WorkerPairOptions): ChildProcess {
  const log = openSync(logPath, 'a');
  try {
    // Modules that run when they are what Node was started with would take the one piece for themselves.
    const start = `await import(${JSON.stringify(pathToFileURL(program).href)})`;
    return spawn(process.execPath, ['--input-type=module', '--eval', start], {
      env: environment,
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

async function readiness(child: ChildProcess, logPath: string): Promise<void> {
  const patience = new AbortController();
  const { signal } = patience;
  const ended = once(child, 'exit', { signal }).then(([code, killedBy]) => {
    const log = readFileSync(logPath, 'utf8').slice(-2000);
    throw new Error(`A worker ended with ${killedBy ?? code} before it was ready: ${log}`);
  });
  try {
    await Promise.race([once(child, 'message', { signal }), ended]);
  } finally {
    patience.abort();
    ended.catch(() => {});
  }
}
