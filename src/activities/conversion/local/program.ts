import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PermanentFailure } from '../../../domain/failures.js';
import { guardedModule } from '../../guarded-module.js';

/** A program of `training/anneal_training` with its request. */
export interface TrainingProgram {
  readonly python: string;
  readonly trainingDirectory: string;
  readonly requestPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A file that was written, as the program read it back. */
export interface ConvertedFile {
  readonly format: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string | number | null>>;
}

/** One line of a program's output; see training/README.md. */
export interface ProgramEvent {
  readonly event: string;
  readonly status?: string;
  readonly message?: string | null;
}

type ConversionEvent =
  | (ProgramEvent & { readonly event: 'stage'; readonly stage: string })
  | (ProgramEvent & ConvertedFile & { readonly event: 'file' })
  | (ProgramEvent & { readonly event: 'start' | 'end' });

const stages: Readonly<Record<string, string>> = {
  adapter: 'writes the adapter',
  merge: 'merges the adapter into the base model',
  f16: 'writes the f16 file',
  quantise: 'quantises',
};

const lastWords = 2000;

/**
 * Runs `anneal_training.convert` to its end; a cancel ends it with SIGTERM, and it removes what was not finished.
 * Throws `ConversionFailed` where the program says why it cannot be done, any other error to be retried.
 */
export async function runConversion(
  program: TrainingProgram,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<readonly ConvertedFile[]> {
  const files: ConvertedFile[] = [];
  await runProgram<ConversionEvent>('convert', program, signal, (event) => {
    if (event.event === 'stage') report(stages[event.stage] ?? event.stage);
    if (event.event === 'file') files.push(event);
  });
  return files;
}

/** One file, made of a base model and an adapter, or of a base model alone. */
export interface FileToConvert {
  readonly directory: string;
  readonly baseModel: string;
  readonly adapter: string | null;
  readonly output: { readonly format: string; readonly path: string };
  readonly name: string;
}

/** Quantising is short, and what does it has its place in the line of the compute queue. */
const threads = 2;

/** See `runConversion`. */
export async function convertFile(
  options: Omit<TrainingProgram, 'requestPath'>,
  { output, ...request }: FileToConvert,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<ConvertedFile> {
  const requestPath = join(request.directory, 'request.json');
  await writeFile(requestPath, JSON.stringify({ ...request, outputs: [output], threads }));
  const [converted] = await runConversion({ ...options, requestPath }, report, signal);
  if (!converted) throw new Error(`The conversion of ${request.name} ended without a file`);
  return converted;
}

/** Runs a program of `training/anneal_training` to its end; see `runConversion` for what it throws. */
export async function runProgram<Event extends ProgramEvent>(
  name: 'convert' | 'parity',
  { python, trainingDirectory, requestPath, environment }: TrainingProgram,
  signal: AbortSignal,
  onEvent: (event: Event) => void,
): Promise<void> {
  const child = spawn(python, guardedModule(`anneal_training.${name}`, requestPath), {
    cwd: trainingDirectory,
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-lastWords);
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A failure to start is told by `closed`; until then nobody listens to it.
  closed.catch(() => {});
  let end: ProgramEvent | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as Event;
    if (event.event === 'end') end = event;
    else onEvent(event);
  }
  const exitCode = await closed;
  signal.throwIfAborted();
  if (end?.status === 'completed') return;
  if (end?.status === 'failed') {
    throw new PermanentFailure('ConversionFailed', `ConversionFailed: ${end.message ?? 'no reason given'}`);
  }
  throw new Error(`The program ${name} ended with exit code ${exitCode} before it was done: ${said.trim()}`);
}
