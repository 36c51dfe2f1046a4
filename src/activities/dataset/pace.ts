import { setImmediate } from 'node:timers/promises';

export interface PaceInput {
  /** Told what goes on, at most once a rest; becomes a heartbeat. */
  readonly progress?: (text: string, done: number) => void;
  readonly signal?: AbortSignal;
}

const rowsBetweenRests = 500;
const longestRunMs = 25;

/** Keeps a long computation polite: lets heartbeats and other activities run, and stops it when cancelled. */
export class Pace {
  private rows = 0;
  private lastRestMs = performance.now();

  constructor(private readonly input: PaceInput) {}

  /** Counts a row; true when it is time to rest. */
  isRestDue(): boolean {
    this.rows += 1;
    if (this.rows >= rowsBetweenRests) return true;
    return performance.now() - this.lastRestMs >= longestRunMs;
  }

  /** Gives way to the event loop. Throws the signal's reason when the work was cancelled. */
  async rest(text: string, done: number): Promise<void> {
    this.input.signal?.throwIfAborted();
    this.input.progress?.(text, done);
    await setImmediate();
    this.input.signal?.throwIfAborted();
    this.rows = 0;
    this.lastRestMs = performance.now();
  }
}
