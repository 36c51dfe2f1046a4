import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, processIdentity } from '../../src/activities/process-identity.js';
import { homeAt } from '../../src/client/stack/home.js';
import { startStack } from '../../src/client/stack/stack.js';
import { StackError } from '../../src/client/stack/stack-error.js';

/** Closed to other users, with a blank in its name, as a clone below root's home may be. */
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'anneal stack '));
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

const parts = { withSandbox: false, withWorker: false };

describe('a stack of Temporal and Postgres', () => {
  it('announces itself while it runs, refuses a second one, keeps its state, and leaves no process', async () => {
    const stack = await startStack({ home, ...parts });
    const announced = JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8'));
    expect(announced).toMatchObject({
      temporalAddress: stack.temporalAddress,
      namespace: 'default',
      databaseUrl: stack.databaseUrl,
      predictUrl: null,
      pids: { temporal: expect.any(Number), postgres: expect.any(Number) },
    });
    expect((await fetch(stack.uiUrl)).status).toBe(200);
    await expect(startStack({ home, ...parts })).rejects.toThrow(
      new RegExp(`already running.*${stack.temporalAddress}`),
    );
    const processes = identify(stack.pids());
    await stack.stop();
    expect(processes.filter(isAlive)).toEqual([]);
    expect(existsSync(join(home, 'stack.json'))).toBe(false);

    const again = await startStack({ home, ...parts });
    await again.stop();
    expect(existsSync(join(home, 'postgres/PG_VERSION'))).toBe(true);
  });

  it('says which part ended by itself', async () => {
    const stack = await startStack({ home, ...parts });
    process.kill(stack.pids().temporal as number, 'SIGKILL');
    const broken = await stack.broken;
    await stack.stop();
    expect(broken).toBeInstanceOf(StackError);
    expect(broken.message).toMatch(/temporal ended by itself \(SIGKILL\)/);
  });

  it('starts empty when a fresh one is asked for', async () => {
    const first = await startStack({ home, ...parts });
    await first.stop();
    const leftBehind = join(homeAt(home).postgres, 'left-behind');
    writeFileSync(leftBehind, '');
    const second = await startStack({ home, ...parts, fresh: true });
    await second.stop();
    expect(existsSync(leftBehind)).toBe(false);
  });
});

describe('whatever way the process that owns a stack ends', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('nothing is left after %s', async (signal) => {
    const owner = startOwner('parts');
    const { pids } = await owner.line('ready');
    const processes = identify(pids);
    owner.child.kill(signal);
    await once(owner.child, 'exit');
    await until(() => processes.every((known) => !isAlive(known)));
    await until(() => !existsSync(join(home, 'stack.json')) && !existsSync(join(home, 'processes.json')));
  });

  it.each([100, 400, 900, 1500])(
    'nothing is left after SIGINT %i ms into the start',
    async (milliseconds) => {
      const owner = startOwner('parts');
      await until(() => existsSync(join(home, 'processes.json')));
      await sleep(milliseconds);
      const processes = identify(startedProcesses());
      owner.child.kill('SIGINT');
      await once(owner.child, 'exit');
      expect(processes.length).toBeGreaterThan(0);
      expect(processes.filter(isAlive)).toEqual([]);
      expect(existsSync(join(home, 'processes.json'))).toBe(false);
      const next = await startStack({ home, ...parts });
      await next.stop();
    },
  );

  it('the next start ends what is left when the guardian was killed as well', async () => {
    const owner = startOwner('parts');
    await owner.line('ready');
    const leftovers = startedProcesses();
    process.kill(leftovers.guardian as number, 'SIGKILL');
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    const { guardian: _, ...others } = leftovers;
    const processes = identify(others);
    expect(processes.filter(isAlive)).toHaveLength(2);
    const told: string[] = [];
    const next = await startStack({ home, ...parts, onProgress: (line) => told.push(line) });
    expect(processes.filter(isAlive)).toEqual([]);
    expect(told[0]).toBe('Ended 2 processes that a killed stack had left behind.');
    await next.stop();
  });

  it('a process that took over the number of an old one is not touched', async () => {
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
    const old = { name: 'temporal', pid: bystander.pid, identity: 'another boot 1' };
    writeFileSync(
      join(home, 'processes.json'),
      JSON.stringify({ owner: { name: 'owner', pid: 1, identity: 'another boot 2' }, processes: [old] }),
    );
    const stack = await startStack({ home, ...parts });
    await stack.stop();
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
    bystander.kill();
  });
});

describe('the whole stack', () => {
  it('survives a kill of its worker and takes another one', async () => {
    const stack = await startStack({ home });
    try {
      expect(await (await fetch(`${stack.awsEndpoint}/_anneal/health`)).json()).toMatchObject({ ok: true });
      const first = stack.pids().worker;
      expect(await stack.killWorker()).toBe(first);
      expect(stack.pids().worker).toBeUndefined();
      const second = await stack.startWorker();
      expect(second).not.toBe(first);
      expect(JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8')).pids.worker).toBe(second);
      const processes = identify(stack.pids());
      await stack.stop();
      expect(processes.filter(isAlive)).toEqual([]);
    } finally {
      await stack.stop();
    }
  });
});

function identify(pids: Record<string, number>) {
  return Object.entries(pids)
    .filter(([name]) => name !== 'anneal')
    .map(([name, pid]) => ({ name, pid, identity: processIdentity(pid) ?? 'gone' }));
}

function startedProcesses(): Record<string, number> {
  const { processes } = JSON.parse(readFileSync(join(home, 'processes.json'), 'utf8')) as {
    processes: { name: string; pid: number }[];
  };
  return Object.fromEntries(processes.map(({ name, pid }) => [name, pid]));
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('It did not come true within 10 s');
    await sleep(20);
  }
}

function startOwner(which: 'parts' | 'whole') {
  const script = fileURLToPath(new URL('stack-owner.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, home, which], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    child,
    /** The next line that has that key. */
    async line(key: string): Promise<{ pids: Record<string, number> }> {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`The owner ended without "${key}"`);
        const message = JSON.parse(value);
        if (key in message) return message;
      }
    },
  };
}
