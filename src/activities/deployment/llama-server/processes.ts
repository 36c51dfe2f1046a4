import { randomUUID } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../../domain/json.js';
import { startDetached } from '../../detached-program.js';
import { callServer } from '../../inference/http.js';
import { isAlive } from '../../process-identity.js';
import { ifAbsent, namesIn, readRecord } from '../../record-files.js';
import type { ServingState } from '../gguf/target.js';
import type { LlamaServerSettings } from './settings.js';

/** What a running server is: `server.json` in its folder. */
export interface RecordedServer {
  readonly pid: number;
  readonly identity: string;
  readonly port: number;
}

/** Absolute paths. */
export interface LlamaServerTools {
  /** The program `llama-server`. */
  readonly program: string;
  /** Any Python; it becomes the server. */
  readonly python: string;
}

export interface Launch {
  readonly folder: string;
  /** A file; without it the server is not started. */
  readonly needs: string;
  readonly command: readonly string[];
  /** What is written down of the server besides its process. */
  readonly record: Pick<RecordedServer, 'port'> & JsonObject;
}

const launcher = fileURLToPath(new URL('launch.py', import.meta.url));
const deletedPrefix = '.deleted.';
/** The launcher's own way to say so. */
const heldByAnother = 75;
const graceMs = 5_000;
/** Starts without an answer in between after which a server is given up. */
export const startsInVain = 3;
/** What a server needs besides the weights: program, context, buffers. */
const reserveBytes = 300e6;

export interface ServerCommand {
  readonly program: string;
  /** A file. */
  readonly model: string;
  readonly adapters: readonly string[];
  /** What the server calls its model. */
  readonly name: string;
  readonly port: number;
  readonly settings: LlamaServerSettings;
}

export function toCommand({ program, model, adapters, name, port, settings }: ServerCommand): string[] {
  const { contextTokens, threads, parallelQuestions, gpuLayers } = settings;
  const options: Record<string, string | number> = {
    '--model': model,
    '--alias': name,
    '--host': '127.0.0.1',
    '--port': port,
    '--ctx-size': contextTokens * parallelQuestions,
    '--parallel': parallelQuestions,
    '--threads': threads,
    '--threads-batch': threads,
    '--gpu-layers': gpuLayers,
    '--log-verbosity': 2,
    // One list with commas between; quotation marks keep the commas of a path.
    ...(adapters.length > 0 && { '--lora': adapters.map((path) => `"${path}"`).join(',') }),
  };
  // The template of the file, as training used it.
  return [
    program,
    '--jinja',
    '--no-webui',
    ...Object.entries(options).flatMap(([option, value]) => [option, String(value)]),
  ];
}

export function readServer<Server extends RecordedServer>(folder: string): Promise<Server | null> {
  return readRecord<Server>(join(folder, 'server.json'));
}

/** Returns once the server is written down, or has ended. False where another process is that server already. */
export async function launch(python: string, settings: Launch): Promise<boolean> {
  const { folder } = settings;
  const logFile = join(folder, 'server.log');
  const child = await startDetached({ python, program: launcher, settings, folder, logFile });
  while (child.exitCode === null && child.signalCode === null) {
    if ((await readServer(folder))?.pid === child.pid) return true;
    await sleep(20);
  }
  return child.exitCode !== heldByAnother;
}

/** Where there is no room for a server that takes so many bytes for its weights: what it waits for. */
export function findMissingMemory(weightBytes: number): ServingState | null {
  const missing = weightBytes * 1.1 + reserveBytes - process.availableMemory();
  return missing > 0
    ? { phase: 'creating', doing: `Waiting for ${Math.ceil(missing / 1e6)} MB of memory` }
    : null;
}

/** Something else may have taken the port of a server that died: only its own name is believed. */
export async function askWhoItIs({ port }: RecordedServer, name: string): Promise<ServingState> {
  const call = { server: 'llama-server', signal: AbortSignal.timeout(2_000) };
  const url = urlAt(port);
  try {
    const health = await callServer({ ...call, url: `${url}/health` });
    const models = health && (await callServer({ ...call, url: `${url}/v1/models` }));
    const { data = [] } = ((await models?.json()) ?? {}) as { data?: readonly { id?: string }[] };
    if (data.some(({ id }) => id === name)) return { phase: 'ready' };
    return {
      phase: 'unusable',
      reason: `what listens on ${url} serves ${data.map(({ id }) => id).join(', ') || 'nothing'}, not ${name}`,
    };
  } catch (error) {
    return { phase: 'creating', doing: `llama-server is starting (${(error as Error).message})` };
  }
}

export function describeForgery(path: string, sha256: string): string {
  return `${path} has SHA-256 ${sha256}, so it is not the model that was deployed. Delete that file; it is then fetched again`;
}

export async function describeInVain(folder: string, count: number): Promise<string> {
  const text = await readFile(join(folder, 'server.log'), 'utf8').catch(() => '');
  const lastWords = text.trim().slice(-500) || 'it said nothing';
  return `llama-server ended ${count} times before it answered: ${lastWords}`;
}

/** Ends the server of a folder, at once where it does not end by itself, and deletes that. Safe to repeat. */
export async function removeServer(directory: string, folder: string): Promise<void> {
  // Under another name first: whatever is being started there fails, or is found below.
  await rename(folder, join(directory, `${deletedPrefix}${randomUUID()}`)).catch(ifAbsent(undefined));
  await endDeleted(directory);
}

/** Ends the servers of folders that were deleted, also those that a killed process has left behind. */
export async function endDeleted(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (!name.startsWith(deletedPrefix)) continue;
    const server = await readServer(join(directory, name));
    if (server !== null && isAlive(server)) await end(server);
    await rm(join(directory, name), { recursive: true, force: true });
  }
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
export function freePort(wanted: number): Promise<number> {
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

export function urlAt(port: number): string {
  return `http://127.0.0.1:${port}`;
}
