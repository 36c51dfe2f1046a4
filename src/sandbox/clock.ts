import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** After a restart, at most this much real time counts as passed: a night switched off is not half a year. */
const longestCountedGapMs = 60_000;
const markEveryMs = 1_000;

interface Mark {
  readonly wallMs: number;
  readonly sandboxMs: number;
  readonly scale: number;
}

/**
 * The sandbox's own time: start + (real time since start) × scale.
 *
 * It never runs backwards, also not over `kill -9`: whenever somebody reads the time and the last mark on
 * disk is older than a second, a new mark is written, and a restart continues from it.
 */
export class SandboxClock {
  readonly #path: string;
  #startSandboxMs: number;
  #startMonotonicMs = performance.now();
  #scale: number;
  #markedAtMonotonicMs = Number.NEGATIVE_INFINITY;

  constructor(stateDirectory: string, scale: number | null) {
    this.#path = join(stateDirectory, 'clock.json');
    const mark = readMark(this.#path);
    this.#scale = scale ?? mark?.scale ?? 1;
    this.#startSandboxMs = mark ? continued(mark) : Date.now();
    this.#writeMark();
  }

  /** Milliseconds since 1970 in sandbox time. */
  now(): number {
    const monotonicMs = performance.now();
    const sandboxMs = this.#startSandboxMs + (monotonicMs - this.#startMonotonicMs) * this.#scale;
    if (monotonicMs - this.#markedAtMonotonicMs > markEveryMs) this.#writeMark();
    return Math.floor(sandboxMs);
  }

  get scale(): number {
    return this.#scale;
  }

  /** Changes the pace from now on; time that has passed stays as it was. */
  setScale(scale: number): void {
    this.#startSandboxMs = this.now();
    this.#startMonotonicMs = performance.now();
    this.#scale = scale;
    this.#writeMark();
  }

  #writeMark(): void {
    const monotonicMs = performance.now();
    this.#markedAtMonotonicMs = monotonicMs;
    const sandboxMs = this.#startSandboxMs + (monotonicMs - this.#startMonotonicMs) * this.#scale;
    const mark: Mark = { wallMs: Date.now(), sandboxMs, scale: this.#scale };
    writeFileSync(`${this.#path}.new`, JSON.stringify(mark));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function continued(mark: Mark): number {
  const gapMs = Math.min(Math.max(0, Date.now() - mark.wallMs), longestCountedGapMs);
  return mark.sandboxMs + gapMs * mark.scale;
}

function readMark(path: string): Mark | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Mark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(
      `The sandbox's clock file ${path} cannot be read; delete it to start again from the present.`,
      {
        cause: error,
      },
    );
  }
}
