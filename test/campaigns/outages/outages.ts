import { setTimeout as sleep } from 'node:timers/promises';
import type { MortalServers, ServerName } from './servers.js';

interface Outage {
  readonly server: ServerName;
  readonly afterMs: number;
  readonly kill: boolean;
  readonly offMs: number;
}

/** Ends and restarts servers by a seed until told to stop, and lets others ask for calm meanwhile. */
export class Outages {
  readonly counts: Record<string, number> = {};
  readonly #planned: Record<ServerName, number> = { postgres: 0, temporal: 0 };
  #isOver = false;
  #current: Promise<void> = Promise.resolve();
  readonly #calms = new Set<Promise<unknown>>();
  readonly #wake = new AbortController();
  #looping: Promise<void> = Promise.resolve();

  constructor(
    private readonly servers: MortalServers,
    private readonly random: () => number,
  ) {}

  /** `pace` 1 restarts Postgres every 5 to 20 seconds and kills Temporal every 10 to 40. */
  start(pace: number): void {
    const loops = (['postgres', 'temporal'] as const).map((server) => this.#loop(server, pace));
    this.#looping = Promise.all(loops).then(() => {});
    // Whoever stops the outages sees the failure.
    this.#looping.catch(() => {});
  }

  /** No server is off, or goes off, while `work` runs. */
  async calm<T>(work: () => Promise<T>): Promise<T> {
    await this.#current;
    const running = work();
    const settled = running.catch(() => {});
    this.#calms.add(settled);
    try {
      return await running;
    } finally {
      this.#calms.delete(settled);
    }
  }

  /** Lets an outage that is under way end, and has no more of them. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#wake.abort();
    await this.#looping;
  }

  async #loop(server: ServerName, pace: number): Promise<void> {
    while (!this.#isOver) {
      const outage = this.#next(server, pace);
      await this.#sleep(outage.afterMs);
      if (this.#isOver) return;
      // One after the other: both off at once would be one outage, not two.
      const before = this.#current;
      this.#current = before.then(() => this.#play(outage));
      await this.#current;
    }
  }

  #next(server: ServerName, pace: number): Outage {
    const shortestMs = server === 'postgres' ? 5_000 : 10_000;
    const isFirst = this.#planned[server] === 0;
    this.#planned[server] += 1;
    const afterMs = pace * (shortestMs + (isFirst ? 0 : this.random() * 3 * shortestMs));
    // In turn: a crash, and an end with everything written.
    const kill = server === 'temporal' || this.#planned.postgres % 2 === 0;
    return { server, afterMs, kill, offMs: this.random() * 2_000 };
  }

  async #play({ server, kill, offMs }: Outage): Promise<void> {
    while (this.#calms.size > 0) await Promise.all(this.#calms);
    if (this.#isOver) return;
    await this.servers.restart(server, { kill, offMs });
    const what = `${server} ${kill ? 'killed' : 'restarted'}`;
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  async #sleep(milliseconds: number): Promise<void> {
    await sleep(milliseconds, null, { signal: this.#wake.signal }).catch(() => null);
  }
}
