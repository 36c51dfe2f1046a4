import { type ActivityOptions, proxyActivities, sleep } from '@temporalio/workflow';
import { defaultWaiting, nextPollMs } from '../../domain/waiting.js';
import type { BenchActivities } from './activities.js';
import type { LongWaitActivities } from './long-wait.js';

export interface WaitInput {
  readonly polls: number;
  readonly betweenMs: number;
}

const looks: ActivityOptions = {
  startToCloseTimeout: '60s',
  scheduleToCloseTimeout: '1h',
  heartbeatTimeout: '5s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};
const poll = proxyActivities<BenchActivities>(looks);

/** Waits as Anneal does: one activity that throws to be retried. */
export async function waitByRetry(input: WaitInput): Promise<void> {
  await poll.lookUntilDone(input);
}

/** Waits as one would at first: look, sleep, look again. */
export async function waitByTimer({ polls, betweenMs }: WaitInput): Promise<void> {
  for (let look = 1; look < polls; look += 1) {
    await poll.look();
    await sleep(betweenMs);
  }
  await poll.look();
}

/** The smallest workflow that does something. */
export async function hello(name: string): Promise<string> {
  return poll.greet(name);
}

/** Thousands on one worker: a heartbeat may have to wait. */
const longWait = proxyActivities<LongWaitActivities>({ ...looks, heartbeatTimeout: '30s' });

/** One of many that wait as Anneal does, for a job of its own. */
export async function waitLongByRetry(job: number): Promise<void> {
  await longWait.lookUntilOver(job);
}

/** The same with a timer between two looks, at the same pace. */
export async function waitLongByTimer(job: number): Promise<void> {
  const startedMs = Date.now();
  while (!(await longWait.lookWhetherOver(job))) {
    await sleep(nextPollMs(defaultWaiting, Date.now() - startedMs, Math.random()));
  }
}
