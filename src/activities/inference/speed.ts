import type { ModelAnswer } from './client.js';

/** Takes the time of one streamed answer. */
export interface Stopwatch {
  /** A piece of the answer has arrived. */
  note(): void;
  /** Since the question was asked. */
  elapsedMs(): number;
  measure(outputTokens: number): Pick<ModelAnswer, 'timeToFirstTokenMs' | 'tokensPerSecond'>;
}

export function startStopwatch(): Stopwatch {
  const askedAtMs = performance.now();
  let firstAtMs: number | null = null;
  let lastAtMs = askedAtMs;
  return {
    note() {
      lastAtMs = performance.now();
      firstAtMs ??= lastAtMs;
    },
    elapsedMs: () => performance.now() - askedAtMs,
    measure(outputTokens) {
      if (firstAtMs === null) return { timeToFirstTokenMs: null, tokensPerSecond: null };
      const seconds = (lastAtMs - firstAtMs) / 1000;
      return {
        timeToFirstTokenMs: firstAtMs - askedAtMs,
        tokensPerSecond: outputTokens > 1 && seconds > 0 ? (outputTokens - 1) / seconds : null,
      };
    },
  };
}
