import { exitCodes } from './exit.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work that has something to clean up. Its signal aborts on Ctrl-C, on SIGTERM or SIGHUP, and when npm,
 * having started us, disappears; a second Ctrl-C ends this process at once (what it owns is ended then too).
 */
export async function withInterruption<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    // Calls to what is being stopped may still fail in timers of their own: that must not end the clean-up.
    process.on('uncaughtException', ignore);
    controller.abort();
  };
  // npm passes on the Ctrl-C that the terminal has already sent to all: one of the two is enough.
  const once = debounced(interrupt, 300);
  for (const signal of signals) process.on(signal, once);
  // A closed terminal must not break the clean-up by refusing what is printed.
  process.stdout.on('error', ignore);
  process.stderr.on('error', ignore);
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.env.npm_lifecycle_event && process.ppid !== parent) controller.abort();
  }, 500);
  watch.unref();
  try {
    return await work(controller.signal);
  } finally {
    clearInterval(watch);
    for (const signal of signals) process.removeListener(signal, once);
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // The timer keeps this process alive: nothing else may.
  const heartbeat = setInterval(() => {}, 60_000);
  return new Promise((resolve) =>
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(heartbeat);
        resolve();
      },
      { once: true },
    ),
  );
}

function debounced(act: () => void, quietMs: number): () => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - lastMs > quietMs) act();
    lastMs = nowMs;
  };
}

function ignore(): void {}
