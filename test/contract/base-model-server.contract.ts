import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { createGenerations } from '../../src/activities/deployment/llama-server/generations.js';
import type { LlamaServerTools } from '../../src/activities/deployment/llama-server/processes.js';
import type { ModelQuestion } from '../../src/activities/inference/client.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { DeploymentRequest } from '../../src/domain/deployment.js';
import type { GgufMachine } from '../local/support/gguf-machine.js';

export interface DeployableAdapter {
  readonly modelId: string;
  /** What it answers to the question, and no other does. */
  readonly answer: string;
}

export interface BaseModelServerFixture {
  readonly machine: GgufMachine;
  /** What its servers are started with. */
  readonly tools: LlamaServerTools;
  readonly baseSha256: string;
  readonly question: Omit<ModelQuestion, 'modelId'>;
  readonly adapters: readonly [DeployableAdapter, DeployableAdapter, DeployableAdapter];
  /** One with which llama-server does not start. */
  readonly brokenModelId: string;
}

function startWorker({ machine, tools }: BaseModelServerFixture, request: DeploymentRequest) {
  const { endpoint, home, store } = machine;
  const input = { endpoint, bucket: store.bucket, home, tools, request };
  const program = join(repositoryRoot, 'test/local/support/deploy-and-wait.ts');
  return spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(input)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

interface Server {
  readonly pid: number;
  readonly port: number;
  readonly adapters: readonly string[];
}

/** One llama-server for all adapters on one base model's file: at most two while they change, and never a failed question. */
export class BaseModelServers {
  constructor(
    readonly machine: Pick<GgufMachine, 'home'>,
    readonly baseSha256: string,
  ) {}

  get directory(): string {
    return join(this.machine.home, 'local', 'servers');
  }

  get folder(): string {
    return join(this.directory, `base-${this.baseSha256}`);
  }

  /** The processes that serve the base model's file, by their command lines. */
  processes = (): number[] => {
    const listed = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8', maxBuffer: 1e8 });
    return listed
      .split('\n')
      .filter((line) => line.includes(`--alias base-${this.baseSha256.slice(0, 12)}-`))
      .filter((line) => line.includes(this.machine.home) && !line.includes('launch.py'))
      .map((line) => Number(line.trim().split(' ')[0]));
  };

  newest(): Server {
    const newest = Math.max(...readdirSync(this.folder).map(Number));
    return JSON.parse(readFileSync(join(this.folder, String(newest), 'server.json'), 'utf8'));
  }

  untilThereAre = (count: number) =>
    expect.poll(this.processes, { timeout: 60_000, interval: 100 }).toHaveLength(count);

  remains(): string[] {
    const folders = [this.directory, join(this.machine.home, 'local', 'models')];
    return folders.filter(existsSync).flatMap((path) => readdirSync(path));
  }
}

export function describeBaseModelServer(name: string, setup: () => Promise<BaseModelServerFixture>): void {
  describe(`one server for many adapters: ${name}`, () => {
    let fixture: BaseModelServerFixture;
    let machine: GgufMachine;
    let servers: BaseModelServers;
    beforeAll(async () => {
      fixture = await setup();
      machine = fixture.machine;
      servers = new BaseModelServers(machine, fixture.baseSha256);
    });

    const deploy = async (index: number) => {
      const { modelId } = fixture.adapters[index] as DeployableAdapter;
      return (await machine.deploy(`adapter-${index}`, modelId)).deploymentId;
    };
    const remove = (index: number) => machine.newTarget().delete(`adapter-${index}`);
    const answerOf = (index: number) => fixture.adapters[index]?.answer;
    const ask = async (modelId: string, client = machine.newClient()) =>
      (await client.ask({ ...fixture.question, modelId })).text;

    it('answers 32 clients each by its own adapter, while one is added and one deleted', async () => {
      const deployed = [await deploy(0), await deploy(1)];
      await servers.untilThereAre(1);
      const before = servers.newest();
      expect(before.adapters).toHaveLength(2);
      const client = machine.newClient();
      const counts = [0, 0];
      let isOver = false;
      const clients = Promise.all(
        Array.from({ length: 32 }, async (_, number) => {
          const index = number % 2;
          while (!isOver) {
            expect(await ask(deployed[index] as string, client)).toBe(answerOf(index));
            counts[index] = (counts[index] ?? 0) + 1;
          }
        }),
      );
      /** Each client has asked anew since. */
      const untilAllAsked = async () => {
        const [first = 0, second = 0] = counts;
        while ((counts[0] ?? 0) < first + 32 || (counts[1] ?? 0) < second + 32) {
          await Promise.race([sleep(20), clients]);
        }
      };
      await untilAllAsked();
      const added = (await Promise.race([deploy(2), clients])) as string;
      expect(await ask(added)).toBe(answerOf(2));
      await untilAllAsked();
      await Promise.race([servers.untilThereAre(1), clients]);
      expect(servers.newest().pid).not.toBe(before.pid);
      expect(servers.newest().adapters).toHaveLength(3);
      await remove(2);
      await untilAllAsked();
      isOver = true;
      await clients;
      console.log(`${name}: 32 clients got ${counts.join(' and ')} answers, no failure`);
      expect(servers.processes()).toHaveLength(1);
    });

    it('applies no adapter to a question that names none', async () => {
      const url = `http://127.0.0.1:${servers.newest().port}`;
      const scales = (await (await fetch(`${url}/lora-adapters`)).json()) as { scale: number }[];
      expect(scales.map(({ scale }) => scale)).toEqual(scales.map(() => 0));
      const { system, turns, maxTokens } = fixture.question;
      const messages = [
        { role: 'system', content: system },
        { role: 'user', content: turns[0]?.text },
      ];
      const body = JSON.stringify({ messages, max_tokens: maxTokens, temperature: 0 });
      const said = await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })).text();
      for (const { answer } of fixture.adapters) expect(said).not.toContain(answer);
    });

    it('starts again with every adapter after it was killed, and never twice', async () => {
      process.kill(servers.newest().pid, 'SIGKILL');
      await servers.untilThereAre(0);
      const deployments = await Promise.all(
        [0, 1].map((index) => machine.newTarget().find(`adapter-${index}`)),
      );
      await Promise.all(
        [...deployments, ...deployments].map((deployment) =>
          deployment ? machine.until(deployment, ({ status }) => status === 'ready') : null,
        ),
      );
      for (const [index, deployment] of deployments.entries()) {
        expect(await ask(deployment?.deploymentId ?? '')).toBe(answerOf(index));
      }
      expect(servers.processes()).toHaveLength(1);
    });

    it('leaves no second server for good where the worker that added an adapter was killed', async () => {
      const generations = createGenerations(servers.directory, servers.folder);
      const [serving] = await generations.list();
      // A question is under way, so that the old server cannot end yet.
      const release = serving && (await generations.beginAsking(serving));
      const { modelId } = fixture.adapters[2];
      const worker = startWorker(fixture, machine.request('adapter-2', modelId));
      const ended = once(worker, 'exit');
      await Promise.race([
        once(worker.stdout as Readable, 'data'),
        ended.then(() => Promise.reject(new Error('the worker ended by itself'))),
      ]);
      process.kill(-(worker.pid as number), 'SIGKILL');
      await ended;
      await release?.();
      await sleep(500);
      expect(servers.processes()).toHaveLength(2);
      // What it has not ended, the next sweep does, as every look and question would.
      await machine.newTarget().listOwned(null);
      await servers.untilThereAre(1);
      const added = await machine.newTarget().find('adapter-2');
      expect(await ask(added?.deploymentId ?? '')).toBe(answerOf(2));
    });

    it('serves on where a new adapter breaks its server, and says which one did', async () => {
      const serving = (await machine.newTarget().find('adapter-0'))?.deploymentId ?? '';
      const broken = await machine.newTarget().create(machine.request('broken', fixture.brokenModelId));
      const target = machine.newTarget();
      for (;;) {
        const description = await target.describe(broken);
        expect(await ask(serving)).toBe(answerOf(0));
        if (description?.status !== 'failed') continue;
        expect(description.failureMessage).toMatch(/llama-server ended 3 times before it answered: .*/s);
        break;
      }
      await machine.newTarget().delete('broken');
      await servers.untilThereAre(1);
      expect(await ask(serving)).toBe(answerOf(0));
    });

    it('ends with the last deployment, and leaves no file', async () => {
      for (const index of [0, 1, 2]) {
        expect(servers.processes()).toHaveLength(1);
        await remove(index);
      }
      await servers.untilThereAre(0);
      expect(servers.remains()).toEqual([]);
    });
  });
}
