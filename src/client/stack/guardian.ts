import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * A small process that outlives this one by a second: when this one dies without calling `finish`, it ends
 * every process that it was told of and deletes the files that announce the stack.
 */
export class Guardian {
  readonly pid: number;
  readonly #child: ReturnType<typeof spawn>;

  constructor(logPath: string, announcements: readonly string[]) {
    const log = openSync(logPath, 'a');
    this.#child = spawn(process.execPath, [fileURLToPath(new URL('guardian.mjs', import.meta.url))], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', log, log],
      env: {},
    });
    closeSync(log);
    this.#child.stdin?.on('error', () => {});
    this.#child.on('error', () => {});
    this.#child.unref();
    this.pid = this.#child.pid ?? -1;
    for (const file of announcements) this.#tell({ file });
  }

  /** `signal` asks the process to end by itself: the whole group, or its leader alone. */
  watch(pid: number, signal: NodeJS.Signals, target: 'group' | 'leader'): void {
    this.#tell({ add: { pid, signal, group: target === 'group' } });
  }

  forget(pid: number): void {
    this.#tell({ remove: pid });
  }

  async finish(): Promise<void> {
    this.#child.ref();
    const exited = this.#child.exitCode !== null ? Promise.resolve() : once(this.#child, 'exit');
    this.#tell({ done: true });
    this.#child.stdin?.end();
    await exited;
  }

  #tell(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}
