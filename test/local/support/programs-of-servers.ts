import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homeAt } from '../../../src/client/stack/home.js';

const folder = join(homeAt().path, 'local', 'bin');

/** The programs that the tests of real servers run: named, or those that scripts/build-servers.mjs has built. */
export const ollamaProgram = resolve(process.env.ANNEAL_TEST_OLLAMA || join(folder, 'ollama'));
export const llamaServerProgram = resolve(process.env.ANNEAL_LLAMA_SERVER || join(folder, 'llama-server'));

/** A program that is missing fails its tests: nothing is passed over in silence. */
export function requireProgram(path: string, variable: string): void {
  if (existsSync(path)) return;
  const name = path.slice(path.lastIndexOf('/') + 1);
  throw new Error(
    `There is no ${path}. Remedy: "node scripts/build-servers.mjs ${name}", or name yours with ${variable}.`,
  );
}

export interface RunningOllama {
  readonly url: string;
  /** Every model that it has. */
  models(): Promise<string[]>;
  close(): Promise<void>;
}

/** An Ollama with a model folder of its own. */
export async function startOllama(folder: string): Promise<RunningOllama> {
  requireProgram(ollamaProgram, 'ANNEAL_TEST_OLLAMA');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(ollamaProgram, ['serve'], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      OLLAMA_HOST: `127.0.0.1:${port}`,
      OLLAMA_MODELS: join(folder, 'models'),
      OLLAMA_NUM_PARALLEL: '1',
    },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  await untilItAnswers(`${url}/api/version`, child);
  return {
    url,
    models: async () => {
      const { models } = (await (await fetch(`${url}/api/tags`)).json()) as { models: { name: string }[] };
      return models.map(({ name }) => name);
    },
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (child.exitCode === null && Date.now() < deadline) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
  throw new Error(`nothing answers at ${url}`);
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
