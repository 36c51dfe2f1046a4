import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunStatus } from '../../src/domain/run-state.js';
import { statusQuery } from '../../src/workflows/messages.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';
import { type RealMachine, type RealRun, startRealMachine } from './support/real-machine.js';

const lifecycles = 10;
const limitGibibytes = 16;

let machine: RealMachine;
let worker: WorkerProcess;

beforeAll(async () => {
  machine = await startRealMachine();
  worker = await spawnWorker(machine.service);
});

afterAll(async () => {
  await worker?.kill();
  await machine?.close();
});

/** What this test's processes take together, a page that several share divided among them: the "Pss" of Linux. */
function usedGibibytes(): number {
  const parents = new Map<number, number>();
  const named: number[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    parents.set(pid, Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${entry}/status`))?.[1] ?? 0));
    if (read(`/proc/${entry}/cmdline`).includes(machine.home.path)) named.push(pid);
  }
  const isOurs = (pid: number): boolean =>
    pid > 1 && (pid === process.pid || named.includes(pid) || isOurs(parents.get(pid) ?? 0));
  const kibibytes = [...parents.keys()]
    .filter(isOurs)
    .map((pid) => Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
  return kibibytes.reduce((sum, each) => sum + each, 0) / 1024 ** 2;
}

/** Empty for a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What the run's page says that it is doing. */
async function progressOf({ handle }: RealRun): Promise<string> {
  const { pendingActivities } = (await handle.describe()).raw;
  const status = (await handle.query(statusQuery)) as RunStatus;
  const said = pendingActivities?.map(({ lastFailure }) => lastFailure?.message ?? '').join(' ') ?? '';
  return `${JSON.stringify(status)} ${said}`;
}

it('ten lifecycles at once: one trains, the others say how many are before them, all are promoted', {
  timeout: 3_600_000,
}, async () => {
  let isOver = false;
  let mostTrainers = 0;
  let mostConverters = 0;
  let mostGibibytes = 0;
  const waiting = new Set<number>();
  const runs = await Promise.all(Array.from({ length: lifecycles }, () => machine.start()));
  const watch = async () => {
    while (!isOver) {
      mostTrainers = Math.max(mostTrainers, machine.programs('train').length);
      mostConverters = Math.max(mostConverters, machine.programs('convert').length);
      mostGibibytes = Math.max(mostGibibytes, usedGibibytes());
      for (const progress of await Promise.all(runs.map(progressOf)))
        for (const [, before] of progress.matchAll(/waiting for the machine: (\d+) jobs? before it/g))
          waiting.add(Number(before));
      await sleep(1_000);
    }
  };
  const watching = watch();
  const results = await Promise.all(runs.map(({ handle }) => handle.result()));
  isOver = true;
  await watching;
  console.log(
    `${lifecycles} lifecycles at once: at most ${mostTrainers} training, ${mostConverters} converting, ${mostGibibytes.toFixed(1)} GiB; seen before a waiting one: ${[...waiting].sort((one, other) => one - other).join(', ')}`,
  );
  expect(results.map(({ outcome }) => outcome)).toEqual(Array(lifecycles).fill('promoted'));
  expect(mostTrainers).toBe(1);
  expect(Math.max(...waiting)).toBeGreaterThanOrEqual(lifecycles - 2);
  expect(mostGibibytes).toBeLessThan(limitGibibytes);
});
