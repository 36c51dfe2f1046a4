import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, type KnownProcess } from '../../src/activities/process-identity.js';
import { repositoryRoot } from '../../src/client/repository-root.js';

/** Every showing here uses the same home, so that each one is "the next run" of the one before. */
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'anneal-demo-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

let demo: Demo;
beforeEach(() => {
  demo = new Demo();
});
/** A demo that a failed test left: with it end, by its guardian, the processes that it started. */
afterEach(() => demo.kill());

const patienceMs = 240_000;

describe('npm run demo', () => {
  it.each([
    ['while the stack starts', /Everything bought here/],
    ['in training', /running +training: \S+ is training/],
    ['in validation', /done +deployment: /],
  ])('interrupted %s, leaves no process behind', { timeout: patienceMs }, async (_, moment) => {
    await demo.until(moment);
    const started = await demo.startedProcesses();
    demo.pressControlC();
    expect(await demo.exitCode(), demo.output).toBe(130);
    expect(started.filter(isAlive)).toEqual([]);
    expect(processesOf(home)).toEqual([]);
    expect(existsSync(join(home, 'demo/processes.json'))).toBe(false);
    expect(demo.output).toContain('everything that had been started is stopped');
  });

  it('plays its three acts to the end, after all these interruptions', { timeout: patienceMs }, async () => {
    const exitCode = await demo.exitCode();
    const { output } = demo;
    expect(exitCode, output).toBe(0);

    const [first = '', second = '', third = ''] = output.split(/^Act \d: .*$/m).slice(1);
    expect(first).toMatch(/^\$ .*temporal workflow start .*--type fineTune .*'\{"recipe":"stylist"\}'/m);
    expect(first).toMatch(/1085 read, 1085 accepted, 0 dropped/);
    expect(first).toMatch(/0 blocks, 0 warnings on 1085 records/);
    expect(first).toMatch(/kill -9 \d+ \(the worker\), in the middle of \S+-t1/);
    expect(first).toMatch(/another worker starts: \d+/);
    expect(first).toMatch(/ledger shows 1 training job for this run: \S+-t1$/m);
    expect(first).toMatch(/done +promotion: version 1 is champion/);
    expect(first).toMatch(/"source": "(model|model_retry)"/);

    const [, hours] = /Provisioned throughput \S+: (\S+) h billed, \$\S+; it is gone/.exec(second) ?? [];
    expect(Number(hours)).toBeGreaterThan(0);
    expect(second).toMatch(/done +validation: failed on 1085 raw answers/);
    expect(second).toMatch(/The champion answers the same request as before/);

    expect(third).toMatch(/FAILED, before a cent was spent/);
    expect(third).toMatch(/broken\.jsonl:\d+ \(byte \d+\) \w+/);

    expect(third).toMatch(/first model, crash +promoted +passed +\$\d+\.\d\d +\S+\.html/);
    expect(third).toMatch(/bad candidate +rejected +failed +\$\d+\.\d\d +\S+\.html/);
    expect(third).toMatch(/bad data +refused +- +\$0/);
    const [, left = ''] = third.split('Still there, and what it costs:');
    const kinds = [...left.matchAll(/^ +(\w+) stylist-\S+: \$\S+ an hour \(champion\)$/gm)].map(
      ([, kind]) => kind,
    );
    expect(kinds.sort()).toEqual(['customModel', 'deployment']);
    expect(processesOf(home)).toEqual([]);
  });
});

/** The demo as a person starts it at a terminal: in a process group of its own. */
class Demo {
  output = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor() {
    const command = [join(repositoryRoot, 'scripts/anneal.mjs'), 'demo', '--home', home];
    this.#child = spawn(process.execPath, command, {
      cwd: repositoryRoot,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
    }
  }

  async until(moment: RegExp): Promise<void> {
    while (!moment.test(this.output)) {
      if (this.#child.exitCode !== null) throw new Error(`The demo ended before ${moment}: ${this.output}`);
      await sleep(20);
    }
  }

  /** Those that the demo's stack runs, once there are any. */
  async startedProcesses(): Promise<KnownProcess[]> {
    const file = join(home, 'demo/processes.json');
    for (;;) {
      const { processes = [] } = existsSync(file)
        ? (JSON.parse(readFileSync(file, 'utf8')) as { processes: KnownProcess[] })
        : {};
      if (processes.length > 1) return processes;
      await sleep(20);
    }
  }

  /** Ctrl-C reaches the whole foreground group. */
  pressControlC(): void {
    process.kill(-(this.#child.pid as number), 'SIGINT');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async exitCode(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }
}

/** Processes whose command line or environment names the folder; only Linux can be asked for both. */
function processesOf(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const [commandLine, environment] = ['cmdline', 'environ'].map((file) => readProcessFile(pid, file));
      return `${commandLine}\0${environment}`.includes(folder) ? [`${pid} ${commandLine}`] : [];
    });
}

function readProcessFile(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
