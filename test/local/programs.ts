import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { homeAt } from '../../src/client/stack/home.js';

const local = join(homeAt().path, 'local');
const trainingFolder = join(repositoryRoot, 'training');
export const python = resolve(process.env.ANNEAL_LOCAL_PYTHON || join(local, 'venv/bin/python'));
export const realBaseModel = join(local, 'base-models/smollm2-135m-instruct');

export interface Event {
  readonly event: string;
  readonly at: string;
  // biome-ignore lint/suspicious/noExplicitAny: each event has fields of its own.
  readonly [field: string]: any;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What this process printed; the folder's `events.jsonl` has those of earlier ones too. */
  readonly events: Event[];
  readonly errors: string;
}

export function requireSetup(): void {
  for (const path of [python, realBaseModel]) {
    if (!existsSync(path)) throw new Error(`There is no ${path}. Remedy: "anneal setup local".`);
  }
}

/** What set-up installs for other machines than this one may be. */
export function requireModule(name: string): void {
  const { status } = spawnSync(python, ['-c', `import ${name}`]);
  if (status === 0) return;
  throw new Error(
    `${python} has no ${name}. Remedy: docs/train-on-your-own-machine.md, "Try the other engines".`,
  );
}

/** A model that trains in a fraction of a second a step. */
export function makeTinyModel(folder: string, seed: number): string {
  const script = join(repositoryRoot, 'test/local/make_tiny_model.py');
  const { status, stderr } = spawnSync(python, [script, realBaseModel, folder, String(seed)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return folder;
}

/** An adapter with random weights on a model; it changes every answer. */
export function makeTinyAdapter(folder: string, baseModel: string, seed: number): string {
  const script = join(repositoryRoot, 'test/local/make_tiny_adapter.py');
  const { status, stderr } = spawnSync(python, [script, baseModel, folder, String(seed)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return folder;
}

/** A model's folder as one GGUF file, or the adapter on it that is named. */
export async function convertToGguf(
  folder: string,
  modelFolder: string,
  format: string,
  adapter: string | null = null,
): Promise<Buffer> {
  const name = basename(adapter ?? modelFolder);
  const path = join(folder, `${name}-${format}.gguf`);
  const ended = await run('convert', {
    directory: join(folder, `conversion-${name}-${format}`),
    baseModel: modelFolder,
    adapter,
    outputs: [{ format, path }],
    name,
    threads: 1,
  });
  if (ended.events.at(-1)?.status !== 'completed') throw new Error(ended.errors);
  return readFileSync(path);
}

/** Sixteen records that a model can learn by heart. */
export function writeConversations(path: string, answer = (name: string) => `{"name":"${name}"}`): string {
  const names = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hana'];
  const lines = [...names, ...names].map((name, index) =>
    JSON.stringify({
      schemaVersion: 'bedrock-conversation-2024',
      system: [{ text: 'Answer in JSON.' }],
      messages: [
        { role: 'user', content: [{ text: `Guest ${index} is called ${name}.` }] },
        { role: 'assistant', content: [{ text: answer(name) }] },
      ],
    }),
  );
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

export interface TrainRequest extends ProgramRequest {
  readonly directory: string;
  readonly baseModel: string;
  readonly trainingFile: string;
  readonly validationFile: string | null;
  readonly hyperparameters: Record<string, number | string | boolean | null>;
  readonly threads: number;
  readonly engine?: string;
}

export const hyperparameters = {
  epochCount: 10,
  learningRate: 0.01,
  batchSize: 4,
  rank: 8,
  alpha: 16,
  dropout: 0.1,
  maximumSequenceLength: 128,
  maximumSteps: 10,
  checkpointSteps: 3,
  seed: 7,
};

/** A folder with a tiny model and a file that it can learn by heart. */
export interface TrainingFolder {
  readonly folder: string;
  readonly baseModel: string;
  readonly trainingFile: string;
  /** A job in a folder of its own; it validates on what it learns unless told otherwise. */
  request(job: string, changes?: Partial<TrainRequest>): TrainRequest;
  remove(): void;
}

export function prepareTraining(name: string, defaults: Partial<TrainRequest> = {}): TrainingFolder {
  const folder = mkdtempSync(join(tmpdir(), `anneal ${name} `));
  const baseModel = makeTinyModel(join(folder, 'tiny'), 1);
  const trainingFile = writeConversations(join(folder, 'training.jsonl'));
  return {
    folder,
    baseModel,
    trainingFile,
    request: (job, changes = {}) => ({
      directory: join(folder, job),
      baseModel,
      trainingFile,
      validationFile: trainingFile,
      hyperparameters,
      threads: 1,
      ...defaults,
      ...changes,
    }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Every program works in a folder; the rest is its own. */
export interface ProgramRequest {
  readonly directory: string;
  readonly [field: string]: unknown;
}

/** Starts a program of training/ as the worker does. */
export function start(name: 'train' | 'convert' | 'parity', request: ProgramRequest): Program {
  mkdirSync(request.directory, { recursive: true });
  const path = join(request.directory, `${name}.json`);
  writeFileSync(path, JSON.stringify(request));
  return new Program(
    spawn(python, ['-m', `anneal_training.${name}`, path], {
      cwd: trainingFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

export function run(name: 'train' | 'convert' | 'parity', request: ProgramRequest): Promise<Ended> {
  return start(name, request).ended;
}

export class Program {
  readonly events: Event[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    let errors = '';
    let unread = '';
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout?.on('data', (chunk) => {
      const lines = `${unread}${chunk}`.split('\n');
      unread = lines.pop() ?? '';
      for (const line of lines) this.events.push(JSON.parse(line));
    });
    this.ended = new Promise((done) =>
      child.once('close', (code, signal) => done({ code, signal, events: this.events, errors })),
    );
  }

  /** Resolves once it has printed such an event; rejects when it ends without one. */
  async seen(isIt: (event: Event) => boolean): Promise<void> {
    while (!this.events.some(isIt)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`It ended first: ${JSON.stringify(await this.ended)}`);
      }
      await sleep(10);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

export function readEvents(directory: string): Event[] {
  return readFileSync(join(directory, 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
