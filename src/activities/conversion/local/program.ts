import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PermanentFailure } from '../../../domain/failures.js';

export interface ConversionProgram {
  readonly python: string;
  readonly trainingDirectory: string;
  readonly requestPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The file that was written, as the program read it back. */
export interface ConvertedFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string | number | null>>;
}

/** One line of the program's output; see training/README.md. */
interface ConversionEvent {
  readonly event: string;
  readonly stage?: string;
  readonly format?: string;
  readonly status?: string;
  readonly message?: string | null;
  readonly sha256?: string;
  readonly bytes?: number;
  readonly metadata?: ConvertedFile['metadata'];
}

const stages: Readonly<Record<string, string>> = {
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
  { python, trainingDirectory, requestPath, environment }: ConversionProgram,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<ConvertedFile> {
  const child = spawn(python, ['-m', 'anneal_training.convert', requestPath], {
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
  let file: ConvertedFile | null = null;
  let end: ConversionEvent | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as ConversionEvent;
    if (event.event === 'stage') report(stages[event.stage ?? ''] ?? event.stage ?? '');
    if (event.event === 'file') file = toFile(event);
    if (event.event === 'end') end = event;
  }
  const exitCode = await closed;
  signal.throwIfAborted();
  if (end?.status === 'completed' && file) return file;
  if (end?.status === 'failed') {
    throw new PermanentFailure('ConversionFailed', `ConversionFailed: ${end.message ?? 'no reason given'}`);
  }
  throw new Error(`The conversion ended with exit code ${exitCode} before it was done: ${said.trim()}`);
}

function toFile({ sha256 = '', bytes = 0, metadata = {} }: ConversionEvent): ConvertedFile {
  return { sha256, bytes, metadata };
}
