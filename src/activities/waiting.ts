import { ApplicationFailure, activityInfo, heartbeat } from '@temporalio/activity';
import { formatElapsed, nextPollMs, type Waiting } from '../domain/waiting.js';

/**
 * Ends this look at something that has not changed yet: throws the benign failure that makes Temporal look
 * again later. However many looks it takes, history holds the same three events. The message is what the
 * Web UI shows under Pending Activities, so it is written for people. `memory` is what the next look finds as its
 * heartbeat details.
 */
export function lookAgain(message: string, waiting: Waiting, memory?: unknown): never {
  const elapsedMs = Date.now() - activityInfo().scheduledTimestampMs;
  const delayMs = nextPollMs(waiting, elapsedMs, Math.random());
  const text = `${message}; waiting for ${formatElapsed(elapsedMs)}, next look in ${formatElapsed(delayMs)}`;
  heartbeat(memory ?? text);
  const failure = ApplicationFailure.create({
    type: 'StillWaiting',
    message: text,
    nextRetryDelay: delayMs,
    category: 'BENIGN',
  });
  // The Web UI shows the stack under the message: a wait is no error and has none.
  failure.stack = '';
  throw failure;
}

/** Longer than any pause of a busy process, shorter than the shortest heartbeat timeout of a create. */
const longestPauseMs = 5_000;

/**
 * Heartbeats every second while `work` runs, so that a worker killed in the middle is noticed within the
 * heartbeat timeout. `progress` is what the Web UI shows.
 *
 * `work` is given a question to ask right before it creates something: whether this attempt is still the
 * current one. A process that was stopped for a while and goes on is not: another attempt may have created
 * the thing since, and the run may have deleted it.
 */
export async function keepAlive<T>(
  work: (isCurrent: () => boolean) => Promise<T>,
  progress: () => unknown = () => undefined,
): Promise<T> {
  let lastBeatMs = Date.now();
  let hasSlept = false;
  const isCurrent = () => {
    const nowMs = Date.now();
    hasSlept ||= nowMs - lastBeatMs > longestPauseMs;
    lastBeatMs = nowMs;
    return !hasSlept;
  };
  const timer = setInterval(() => {
    isCurrent();
    heartbeat(progress());
  }, 1000);
  try {
    return await work(isCurrent);
  } finally {
    clearInterval(timer);
  }
}
