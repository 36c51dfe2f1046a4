import { lookAgain } from '../../activities/waiting.js';
import { defaultWaiting } from '../../domain/waiting.js';

export type LongWaitActivities = ReturnType<LongWait['activities']>;

/** Many made-up jobs that are waited for: whether each is over, and who has seen that. */
export class LongWait {
  #looks = 0;
  readonly #seen = new Set<number>();
  readonly #lagsMs = new Map<number, number>();
  #endsAtMs: ((job: number) => number) | null = null;

  /** `askCloud` is sent before every look, as a wait for a real job sends it. */
  constructor(private readonly askCloud: () => Promise<unknown>) {}

  activities() {
    return {
      lookUntilOver: async (job: number): Promise<void> => {
        if (!(await this.#look(job))) lookAgain(`Job ${job} is InProgress`, defaultWaiting);
      },
      lookWhetherOver: (job: number): Promise<boolean> => this.#look(job),
    };
  }

  /** From now on the jobs end, evenly over `spanMs`. */
  beginEnding(jobs: number, spanMs: number): void {
    const nowMs = Date.now();
    this.#endsAtMs = (job) => nowMs + (job / jobs) * spanMs;
  }

  get state() {
    return { looks: this.#looks, waiting: this.#seen.size, over: this.#lagsMs.size };
  }

  /** Milliseconds from a job's end until a look saw it, in the order of jobs. */
  get lagsMs(): number[] {
    return [...this.#lagsMs].sort(([one], [other]) => one - other).map(([, lagMs]) => lagMs);
  }

  async #look(job: number): Promise<boolean> {
    await this.askCloud();
    this.#looks += 1;
    this.#seen.add(job);
    const endedMs = this.#endsAtMs?.(job);
    const lagMs = endedMs === undefined ? -1 : Date.now() - endedMs;
    if (lagMs < 0) return false;
    if (!this.#lagsMs.has(job)) this.#lagsMs.set(job, lagMs);
    return true;
  }
}
