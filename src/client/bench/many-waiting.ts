import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import { quantile } from 'simple-statistics';
import type { Stack } from '../stack/stack.js';
import { type Comparison, compare, type Measured } from './comparison.js';
import type { LongWaitOrder, LongWaitState } from './long-wait-worker.js';

type Way = 'waitLongByRetry' | 'waitLongByTimer';

export interface ManyWaitingOptions {
  readonly client: Client;
  readonly stack: Pick<Stack, 'temporalAddress' | 'awsEndpoint' | 'databaseUrl'>;
  readonly lifecycles: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** Each measurement is taken so often, so that its spread can be shown. */
const samples = 5;
const sampleSeconds = 12;
/** The jobs end one after the other over this time. */
const endingSeconds = 60;
const startsAtOnce = 20;
const historiesRead = 50;

interface WayMeasured {
  /** Of the worker process beyond its idle one, for each waiting lifecycle; a value for each sample. */
  readonly kibibytes: readonly number[];
  readonly callsPerSecond: readonly number[];
  /** The 95th percentile of every fifth lifecycle, five values. */
  readonly lagSeconds: readonly number[];
  readonly medianLagSeconds: number;
  readonly events: readonly number[];
  readonly startSeconds: number;
}

/** Many lifecycles that wait for their jobs on one worker process, as Anneal waits and by timer and activity. */
export async function benchManyWaiting(options: ManyWaitingOptions): Promise<Comparison[]> {
  const ours = await measure('waitLongByRetry', options);
  const naive = await measure('waitLongByTimer', options);
  const paired = (pick: (measured: WayMeasured) => readonly number[]): Measured[] =>
    pick(ours).map((value, index) => ({ ours: value, against: pick(naive)[index] ?? Number.NaN }));
  const { lifecycles } = options;
  const header = {
    ours: 'one activity each that throws to be retried',
    against: 'a loop of timer and activity each',
    better: 'lower' as const,
  };
  const name = `${lifecycles} waiting`;
  return [
    compare(
      { ...header, name: `${name}, events`, unit: 'history events each' },
      paired(({ events }) => events),
      [`Whole histories of ${historiesRead} of them; every job is waited for between one and some minutes.`],
    ),
    compare(
      { ...header, name: `${name}, memory`, unit: 'KiB of RSS each' },
      paired(({ kibibytes }) => kibibytes),
      [
        'What the worker process has more than when it was idle, after a garbage collection; it caches 200 workflows.',
      ],
    ),
    compare(
      { ...header, name: `${name}, cloud calls`, unit: 'calls/s' },
      paired(({ callsPerSecond }) => callsPerSecond),
      [
        'Looks 45 s apart in the first minute, 60 s after it, up to a tenth more or less; each is a call to the local cloud.',
        `All were waiting after ${ours.startSeconds.toFixed(0)} s and ${naive.startSeconds.toFixed(0)} s.`,
      ],
    ),
    compare(
      { ...header, name: `${name}, lag p95`, unit: 's' },
      paired(({ lagSeconds }) => lagSeconds),
      [
        `From a job's end until a look saw it; medians ${ours.medianLagSeconds.toFixed(1)} s and ${naive.medianLagSeconds.toFixed(1)} s.`,
      ],
    ),
  ];
}

async function measure(way: Way, options: ManyWaitingOptions): Promise<WayMeasured> {
  const { lifecycles, signal, print, client, stack } = options;
  const taskQueue = `bench-${way}`;
  const { worker, idle } = await startWorker(stack, taskQueue, signal);
  try {
    const workflowId = (job: number) => `bench/${way}/${lifecycles}/${job}`;
    const jobs = Array.from({ length: lifecycles }, (_, job) => job);
    const startedMs = performance.now();
    const start = (job: number) =>
      client.workflow.start(way, { taskQueue, workflowId: workflowId(job), args: [job] });
    await pMap(jobs, start, { concurrency: startsAtOnce, signal });
    await until(worker, ({ waiting }) => waiting === lifecycles, signal);
    const startSeconds = (performance.now() - startedMs) / 1000;
    print(`    ${way}: ${lifecycles} wait after ${startSeconds.toFixed(0)} s`);

    const states = await sampleStates(worker, signal);
    const spanMs = endingSeconds * 1000;
    await tell<LongWaitState>(worker, { order: 'end', jobs: lifecycles, spanMs });
    await until(worker, ({ over }) => over === lifecycles, signal);
    const lagsMs = await tell<number[]>(worker, { order: 'lags' });
    const step = Math.max(1, Math.floor(lifecycles / historiesRead));
    const read = jobs.filter((job) => job % step === 0).slice(0, historiesRead);
    const events = await pMap(read, (job) => eventsOf(client, workflowId(job)), { concurrency: 5, signal });
    await tell(worker, { order: 'stop' });
    return {
      ...ratesOf(states, idle, lifecycles),
      lagSeconds: Array.from({ length: samples }, (_, part) =>
        quantile(
          lagsMs.filter((_, job) => job % samples === part).map((lagMs) => lagMs / 1000),
          0.95,
        ),
      ),
      medianLagSeconds: quantile([...lagsMs], 0.5) / 1000,
      events,
      startSeconds,
    };
  } finally {
    await end(worker);
  }
}

async function sampleStates(worker: ChildProcess, signal: AbortSignal): Promise<LongWaitState[]> {
  const states = [await tell<LongWaitState>(worker, { order: 'state' })];
  for (let sample = 0; sample < samples; sample += 1) {
    await sleep(sampleSeconds * 1000, undefined, { signal });
    states.push(await tell<LongWaitState>(worker, { order: 'state' }));
  }
  return states;
}

function ratesOf(states: readonly LongWaitState[], idle: LongWaitState, lifecycles: number) {
  const later = states.slice(1);
  return {
    kibibytes: later.map(({ rssBytes }) => (rssBytes - idle.rssBytes) / 1024 / lifecycles),
    callsPerSecond: later.map((state, index) => {
      const before = states[index] as LongWaitState;
      return ((state.looks - before.looks) * 1000) / (state.atMs - before.atMs);
    }),
  };
}

async function eventsOf(client: Client, workflowId: string): Promise<number> {
  const handle = client.workflow.getHandle(workflowId);
  await handle.result();
  return (await handle.describe()).historyLength;
}

async function startWorker(
  { temporalAddress, awsEndpoint, databaseUrl }: ManyWaitingOptions['stack'],
  taskQueue: string,
  signal: AbortSignal,
): Promise<{ worker: ChildProcess; idle: LongWaitState }> {
  const script = fileURLToPath(new URL('long-wait-worker.ts', import.meta.url));
  const worker = fork(script, [temporalAddress, taskQueue], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
    env: {
      ...process.env,
      ANNEAL_CLOUD: 'sandbox',
      ANNEAL_AWS_ENDPOINT: awsEndpoint ?? '',
      DATABASE_URL: databaseUrl,
      // More than so many looks need: measured is the wait, not the limit.
      ANNEAL_CALLS_PER_SECOND: '1000',
    },
  });
  await nextMessage<LongWaitState>(worker, signal);
  // Its start leaves garbage behind.
  await sleep(3_000, undefined, { signal });
  return { worker, idle: await tell<LongWaitState>(worker, { order: 'state' }) };
}

async function until(
  worker: ChildProcess,
  condition: (state: LongWaitState) => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!condition(await tell<LongWaitState>(worker, { order: 'state' }))) {
    await sleep(1_000, undefined, { signal });
  }
}

async function tell<Answer>(worker: ChildProcess, asked: LongWaitOrder): Promise<Answer> {
  const answer = nextMessage<Answer>(worker);
  worker.send(asked);
  return answer;
}

/** Fails when the process ends instead. */
async function nextMessage<Answer>(worker: ChildProcess, signal?: AbortSignal): Promise<Answer> {
  const over = new AbortController();
  const stop = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  const died = once(worker, 'exit', { signal: stop }).then(([code]) => {
    throw new Error(`The worker of the bench ended with ${code}`);
  });
  died.catch(() => {});
  try {
    const [message] = (await Promise.race([once(worker, 'message', { signal: stop }), died])) as [Answer];
    return message;
  } finally {
    over.abort();
  }
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exited = once(worker, 'exit');
  const timer = setTimeout(() => worker.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(timer);
}
