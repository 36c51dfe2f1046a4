import { CommandFailure } from '../exit.js';

/** What a trial promises, each line printed as it is checked. */
export class Promises {
  readonly #broken: string[] = [];

  constructor(private readonly print: (line: string) => void) {}

  /** `what` says what should hold, with the measured values in it. */
  check(holds: boolean, what: string): void {
    this.print(`  ${holds ? 'holds ' : 'BROKEN'}  ${what}`);
    if (!holds) this.#broken.push(what);
  }

  /** Throws when anything was broken, so that the exit code says so. */
  settle(): void {
    if (this.#broken.length === 0) return;
    const list = this.#broken.map((what) => `  ${what}`).join('\n');
    throw new CommandFailure(`This does not hold:\n${list}`);
  }
}
