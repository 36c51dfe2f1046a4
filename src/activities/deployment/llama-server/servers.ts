import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { callServer } from '../../inference/http.js';
import { isAlive } from '../../process-identity.js';
import { hashFile } from '../../training/local/artifact.js';
import { readRecord } from '../../training/local/job-folder.js';
import type { ModelFiles } from '../gguf/model-files.js';
import { type DeploymentRecord, recordPath } from '../gguf/records.js';
import type { ServingState } from '../gguf/target.js';
import { type LlamaServerSettings, targetName } from './settings.js';

export type Served = DeploymentRecord<LlamaServerSettings>;

/** What a running server is: `server.json` in its folder. */
interface RecordedServer {
  readonly pid: number;
  readonly identity: string;
  readonly port: number;
}

export interface ServersOptions {
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  /** The program `llama-server`. */
  readonly program: string;
  /** Any Python; it becomes the server. */
  readonly python: string;
}

/** The llama-server processes of this machine: one for each deployment and file, on the loopback interface alone. */
export interface Servers {
  /** Looks at a deployment's server, and starts it where none lives; its file must be there. */
  keepGoing(record: Served): Promise<ServingState>;
  /** Where a server that is ready listens. */
  urlOf(record: Served): Promise<string | null>;
  /** Ends it, at once where it does not end by itself. Safe to repeat. */
  stop(record: Served): Promise<void>;
}

const launcher = fileURLToPath(new URL('launch.py', import.meta.url));
const deletedPrefix = '.deleted.';
/** The launcher's own way to say so. */
const heldByAnother = 75;
const graceMs = 5_000;
/** Starts without an answer in between after which a server is given up. */
const startsInVain = 3;
/** What a server needs besides the weights: program, context, buffers. */
const reserveBytes = 300e6;

export function createServers({ home, files, program, python }: ServersOptions): Servers {
  /** Starts since a server last answered, by its folder. */
  const starts = new Map<string, number>();
  /** However many ask at once, one of them starts. */
  const underWay = new Map<string, Promise<ServingState>>();
  const directory = join(home, 'local', 'servers');
  const folderOf = (record: Served) => join(directory, nameOf(record));
  const recordedOf = (record: Served) => readRecord<RecordedServer>(join(folderOf(record), 'server.json'));

  async function start(record: Served): Promise<ServingState> {
    const folder = folderOf(record);
    const path = files.pathOf(record.model.sha256);
    const count = starts.get(folder) ?? 0;
    if (count >= startsInVain) {
      return {
        phase: 'unusable',
        reason: `llama-server ended ${count} times before it answered: ${await lastWords(folder)}`,
      };
    }
    const missing = record.model.bytes * 1.1 + reserveBytes - process.availableMemory();
    if (missing > 0)
      return { phase: 'creating', doing: `Waiting for ${Math.ceil(missing / 1e6)} MB of memory` };
    const sha256 = await hashFile(path);
    if (sha256 !== record.model.sha256) {
      const reason = `${path} has SHA-256 ${sha256}, so it is not the model that was deployed. Delete that file; it is then fetched again`;
      return { phase: 'unusable', reason };
    }
    await mkdir(folder, { recursive: true });
    const port = await freePort((await recordedOf(record))?.port ?? 0);
    const needs = recordPath(home, targetName, record.request.name);
    const command = toCommand(program, path, port, record);
    const isOurs = await launch(python, { folder, needs, command, record: { port } });
    if (isOurs) starts.set(folder, count + 1);
    return { phase: 'creating', doing: 'Starting llama-server' };
  }

  return {
    async keepGoing(record) {
      const server = await recordedOf(record);
      if (server === null || !isAlive(server)) {
        const folder = folderOf(record);
        const starting = underWay.get(folder) ?? start(record).finally(() => underWay.delete(folder));
        underWay.set(folder, starting);
        return starting;
      }
      const state = await askWhoItIs(server, record);
      if (state.phase === 'ready') starts.delete(folderOf(record));
      return state;
    },

    async urlOf(record) {
      const server = await recordedOf(record);
      return server && urlAt(server.port);
    },

    async stop(record) {
      starts.delete(folderOf(record));
      // Under another name first: whatever is being started there fails, or is found below.
      const gone = join(directory, `${deletedPrefix}${randomUUID()}`);
      await rename(folderOf(record), gone).catch(unlessAbsent);
      await endDeleted(directory);
    },
  };
}

/** What a server calls its model: it differs for each deployment and each file. */
export function nameOf({ request, deploymentId, model }: Served): string {
  const own = createHash('sha256').update(`${deploymentId}\n${model.sha256}`).digest('hex').slice(0, 8);
  return `${request.name}-${own}`;
}

function toCommand(program: string, path: string, port: number, record: Served): string[] {
  const { contextTokens, threads, parallelQuestions, gpuLayers } = record.request.settings;
  const options: Record<string, string | number> = {
    '--model': path,
    '--alias': nameOf(record),
    '--host': '127.0.0.1',
    '--port': port,
    '--ctx-size': contextTokens * parallelQuestions,
    '--parallel': parallelQuestions,
    '--threads': threads,
    '--threads-batch': threads,
    '--gpu-layers': gpuLayers,
    '--log-verbosity': 2,
  };
  // The template of the file, as training used it.
  return [
    program,
    '--jinja',
    '--no-webui',
    ...Object.entries(options).flatMap(([name, value]) => [name, String(value)]),
  ];
}

interface Launch {
  readonly folder: string;
  /** A file; without it the server is not started. */
  readonly needs: string;
  readonly command: readonly string[];
  readonly record: Pick<RecordedServer, 'port'>;
}

/** Returns once the server is written down, or has ended. False where another process is that server already. */
async function launch(python: string, settings: Launch): Promise<boolean> {
  const { folder } = settings;
  const log = openSync(join(folder, 'server.log'), 'a');
  try {
    // A session of its own, so that it outlives the worker and every signal to the worker's terminal.
    const child = spawn(python, ['-I', launcher, JSON.stringify(settings)], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const path = join(folder, 'server.json');
    while (child.exitCode === null && child.signalCode === null) {
      if ((await readRecord<RecordedServer>(path))?.pid === child.pid) return true;
      await sleep(20);
    }
    return child.exitCode !== heldByAnother;
  } finally {
    closeSync(log);
  }
}

/** Something else may have taken the port of a server that died: only its own name is believed. */
async function askWhoItIs({ port }: RecordedServer, record: Served): Promise<ServingState> {
  const call = { server: 'llama-server', signal: AbortSignal.timeout(2_000) };
  const url = urlAt(port);
  try {
    const health = await callServer({ ...call, url: `${url}/health` });
    const models = health && (await callServer({ ...call, url: `${url}/v1/models` }));
    const { data = [] } = ((await models?.json()) ?? {}) as { data?: readonly { id?: string }[] };
    if (data.some(({ id }) => id === nameOf(record))) return { phase: 'ready' };
    return {
      phase: 'unusable',
      reason: `what listens on ${url} serves ${data.map(({ id }) => id).join(', ') || 'nothing'}, not ${nameOf(record)}`,
    };
  } catch (error) {
    return { phase: 'creating', doing: `llama-server is starting (${(error as Error).message})` };
  }
}

/** Ends the servers of folders that were deleted, also those that a killed process has left behind. */
async function endDeleted(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch((error) => unlessAbsent(error) ?? [])) {
    if (!name.startsWith(deletedPrefix)) continue;
    const server = await readRecord<RecordedServer>(join(directory, name, 'server.json'));
    if (server !== null && isAlive(server)) await end(server);
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

function unlessAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

async function end(server: RecordedServer): Promise<void> {
  const deadline = Date.now() + graceMs;
  signal(server, 'SIGTERM');
  while (isAlive(server)) {
    if (Date.now() > deadline) signal(server, 'SIGKILL');
    await sleep(50);
  }
}

function signal({ pid }: RecordedServer, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The wanted port where it is free, else any. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (wanted !== 0 && error.code === 'EADDRINUSE') resolve(freePort(0));
      else reject(error);
    });
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function urlAt(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function lastWords(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'server.log'), 'utf8').catch(() => '');
  return text.trim().slice(-500) || 'it said nothing';
}
