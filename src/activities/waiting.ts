import { ApplicationFailure, activityInfo, heartbeat } from '@temporalio/activity';
import { formatElapsed, nextPollMs, type Waiting } from '../domain/waiting.js';

/**
 * Ends this look at something that has not changed yet: throws the benign failure that makes Temporal look
 * again later. However many looks it takes, history holds the same three events. The message is what the
 * Web UI shows under Pending Activities, so it is written for people.
 */
export function lookAgain(message: string, waiting: Waiting): never {
  const elapsedMs = Date.now() - activityInfo().scheduledTimestampMs;
  const delayMs = nextPollMs(waiting, elapsedMs, Math.random());
  const text = `${message}; waiting for ${formatElapsed(elapsedMs)}, next look in ${formatElapsed(delayMs)}`;
  heartbeat(text);
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

/**
 * Heartbeats every second while `work` runs, so that a worker killed in the middle is noticed within the
 * heartbeat timeout. `progress` is what the Web UI shows.
 */
export async function keepAlive<T>(
  work: () => Promise<T>,
  progress: () => unknown = () => undefined,
): Promise<T> {
  const timer = setInterval(() => heartbeat(progress()), 1000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
