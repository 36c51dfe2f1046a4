import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Guardian } from './guardian.js';
import { type Home, statePaths } from './home.js';
import { ManagedProcess, type ProcessOptions } from './managed-process.js';
import { type Ownership, takeHome } from './ownership.js';

/**
 * Starts the processes of one home and knows all that run. Whatever way this process ends, they end too:
 * by `stopAll`, by the guardian when this process is killed, by the next start when both were.
 */
export class Launcher {
  readonly #running = new Map<number, ManagedProcess>();

  private constructor(
    readonly home: Home,
    readonly ownership: Ownership,
    readonly guardian: Guardian,
    readonly onUnexpectedExit: (process: ManagedProcess, how: string) => void,
  ) {}

  static async open(
    home: Home,
    options: {
      /** Deletes the home's state once it is ours. */
      fresh?: boolean;
      onLeftovers: (count: number) => void;
      onUnexpectedExit: (process: ManagedProcess, how: string) => void;
    },
  ): Promise<Launcher> {
    const ownership = await takeHome(home, options.onLeftovers);
    if (options.fresh) for (const path of statePaths(home)) rmSync(path, { recursive: true, force: true });
    mkdirSync(home.logs, { recursive: true });
    keepPreviousLogs(home.logs);
    const guardian = new Guardian(join(home.logs, 'guardian.log'), [home.stackFile, home.processesFile]);
    ownership.record('guardian', guardian.pid);
    return new Launcher(home, ownership, guardian, options.onUnexpectedExit);
  }

  /** Where a process writes; one start of the stack shares a log, the start before is kept beside it. */
  logPath(name: string): string {
    return join(this.home.logs, `${name}.log`);
  }

  async start(options: ProcessOptions): Promise<ManagedProcess> {
    const process = await ManagedProcess.start(options);
    this.guardian.watch(process.pid, process.stopSignal, process.stopTarget);
    this.#running.set(process.pid, process);
    this.ownership.record(process.name, process.pid);
    void process.exited.then(({ code, signal }) => {
      this.#running.delete(process.pid);
      this.guardian.forget(process.pid);
      this.ownership.forget(process.pid);
      if (!process.stopping) this.onUnexpectedExit(process, signal ?? `exit code ${code}`);
    });
    return process;
  }

  pids(): Record<string, number> {
    return Object.fromEntries([...this.#running.values()].map(({ name, pid }) => [name, pid]));
  }

  /** In the order of `graceMs`, users before what they use; then whatever else runs; then lets go of the home. */
  async stopAll(graceMs: Readonly<Record<string, number>>): Promise<void> {
    for (const [name, milliseconds] of Object.entries(graceMs)) {
      const named = [...this.#running.values()].filter((process) => process.name === name);
      await Promise.all(named.map((process) => process.stop(milliseconds)));
    }
    await this.killAll();
    await this.guardian.finish();
    this.ownership.release();
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((process) => process.kill()));
  }
}

function keepPreviousLogs(folder: string): void {
  for (const name of ['temporal', 'postgres', 'sandbox', 'worker']) {
    const path = join(folder, `${name}.log`);
    if (existsSync(path)) renameSync(path, join(folder, `${name}.previous.log`));
  }
}
