/** How often a wait looks, by its age. Seconds. */
export interface Waiting {
  readonly firstMinuteSeconds: number;
  readonly firstHourSeconds: number;
  readonly laterSeconds: number;
}

/** Production's ladder: seconds are for demos only, by the run spec. */
export const defaultWaiting: Waiting = {
  firstMinuteSeconds: 45,
  firstHourSeconds: 60,
  laterSeconds: 300,
};

/**
 * Milliseconds until the next look at something that has been waited for `elapsedMs`.
 * `random` in [0, 1) spreads looks by up to a tenth either way.
 */
export function nextPollMs(waiting: Waiting, elapsedMs: number, random: number): number {
  const minutes = elapsedMs / 60_000;
  const seconds =
    minutes < 1 ? waiting.firstMinuteSeconds : minutes < 60 ? waiting.firstHourSeconds : waiting.laterSeconds;
  return Math.round(seconds * 1000 * (0.9 + 0.2 * random));
}

/** A span of time as people read it: `41 s`, `7 min`, `3 h 20 min`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
