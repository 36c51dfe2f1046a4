import { once } from 'node:events';
import { migrateToLatest } from '../../database/migrate.js';
import { type Home, homeAt } from './home.js';
import { Launcher } from './launcher.js';
import { lastWords, type ManagedProcess } from './managed-process.js';
import { startSandbox, startWorker, workerEnvironment } from './node-processes.js';
import { startPostgres } from './postgres-server.js';
import { StackError, StackInterrupted } from './stack-error.js';
import { removeStackFile, type StackFile, writeStackFile } from './stack-file.js';
import {
  startTemporal,
  type TemporalServer,
  temporalCli,
  withoutTemporalSettings,
} from './temporal-server.js';

export interface StackOptions {
  /** Folder of all state, relative to the clone; `.anneal` unless given. */
  readonly home?: string | undefined;
  /** Deletes the state of an earlier stack in that home first. */
  readonly fresh?: boolean | undefined;
  /** Sandbox seconds per real second, for the local cloud's clock. */
  readonly clockScale?: number | undefined;
  /** How SageMaker's training jobs run in the local cloud; simulated unless said otherwise. */
  readonly training?: 'simulated' | 'real' | undefined;
  /** How long each training job of the local cloud takes, in its own hours; by tokens unless given. */
  readonly trainingHours?: number | undefined;
  /** A fault script's path or a scenario's name for the local cloud; without it the one before goes on. */
  readonly faults?: string | undefined;
  /** A path or JSON: how the local cloud reads what AWS's documents leave open, see docs/assumptions.md. */
  readonly readings?: string | undefined;
  /** A Postgres of your own instead of the embedded one. */
  readonly databaseUrl?: string | undefined;
  /** Environment variables for the worker, for instance ANNEAL_WAITING_SECONDS. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** False leaves a part out; then also what depends on it has to be left out. */
  readonly withSandbox?: boolean | undefined;
  readonly withWorker?: boolean | undefined;
  /** Stops the start, and with it everything started so far. */
  readonly signal?: AbortSignal | undefined;
  /** Hears what happens while starting and stopping, in words for people. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface Stack extends Omit<StackFile, 'pids'> {
  readonly home: Home;
  /** The CLI binary. */
  readonly temporalCli: string;
  /** For child processes that talk to this stack, the `temporal` CLI for instance. */
  readonly environment: NodeJS.ProcessEnv;
  /** Resolves, with the reason, when a part of the stack ended by itself. */
  readonly broken: Promise<StackError>;
  pids(): Record<string, number>;
  /** SIGKILL to the worker, as a crash would; returns the process it was. */
  killWorker(): Promise<number>;
  /** Starts another worker, and returns its process once it polls. */
  startWorker(): Promise<number>;
  /** Ends every process within seconds; safe to call twice. */
  stop(): Promise<void>;
}

/** How long each part may take to end by itself, in the order in which they are asked. */
const graceMs = { worker: 5000, sandbox: 2000, temporal: 3000, postgres: 4000 };

const defaultClockScale = 60;

/**
 * Starts Temporal with its Web UI, Postgres, the local cloud and one worker, all on loopback, and resolves
 * when every one of them answers. Throws `StackError` when one cannot be started; then nothing is left running.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const home = homeAt(options.home);
  const progress = options.onProgress ?? (() => {});
  const breakage = withResolvers<StackError>();
  const launcher = await Launcher.open(home, {
    fresh: options.fresh === true,
    onLeftovers: (count) => progress(`Ended ${count} processes that a killed stack had left behind.`),
    onUnexpectedExit: (ended, how) => breakage.resolve(unexpectedExit(ended, how)),
  });
  try {
    return await startParts(launcher, options, breakage.promise, progress);
  } catch (error) {
    await launcher.stopAll(graceMs);
    throw options.signal?.aborted ? new StackInterrupted() : error;
  }
}

async function startParts(
  launcher: Launcher,
  options: StackOptions,
  broken: Promise<StackError>,
  progress: (line: string) => void,
): Promise<Stack> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])]);
  const timed = async <T>(name: string, start: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await start();
    progress(`${name} ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return result;
  };
  // All three are waited for even when one fails, so that none is left half-started.
  const results = await Promise.allSettled(
    [
      timed('Temporal', () => startTemporal(launcher, signal)),
      timed('Postgres', () => startDatabase(launcher, options, signal)),
      options.withSandbox === false
        ? Promise.resolve(null)
        : timed('Local cloud', () => {
            const { clockScale = defaultClockScale, training, trainingHours, faults, readings } = options;
            return startSandbox(launcher, { clockScale, training, trainingHours, faults, readings }, signal);
          }),
    ].map((part) => abortOthersOnFailure<unknown>(part, failed)),
  );
  throwFirstFailure(results);
  const [temporal, databaseUrl, awsEndpoint] = results.map(
    (result) => (result as { value: unknown }).value,
  ) as [TemporalServer, string, string | null];
  const environment = workerEnvironment(
    launcher,
    { temporal: temporal.environment, databaseUrl, awsEndpoint },
    options.environment,
  );
  const stack = new RunningStack(launcher, temporal, databaseUrl, awsEndpoint, environment, broken);
  if (options.withWorker !== false) await timed('Worker', () => stack.startWorker(signal));
  if (signal.aborted) throw new StackInterrupted();
  stack.announce();
  return stack;
}

class RunningStack implements Stack {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly uiUrl: string;
  readonly predictUrl = null;
  readonly temporalCli = temporalCli();
  readonly environment: NodeJS.ProcessEnv;
  readonly home: Home;
  #worker: ManagedProcess | null = null;
  #announced = false;
  #stopped: Promise<void> | null = null;

  constructor(
    readonly launcher: Launcher,
    temporal: TemporalServer,
    readonly databaseUrl: string,
    readonly awsEndpoint: string | null,
    readonly workerEnvironment: NodeJS.ProcessEnv,
    readonly broken: Promise<StackError>,
  ) {
    this.home = launcher.home;
    this.temporalAddress = temporal.address;
    this.namespace = temporal.namespace;
    this.uiUrl = temporal.uiUrl;
    this.environment = { ...withoutTemporalSettings(process.env), ...temporal.environment };
  }

  pids(): Record<string, number> {
    return { anneal: process.pid, ...this.launcher.pids() };
  }

  async startWorker(signal?: AbortSignal): Promise<number> {
    this.#worker = await startWorker(this.launcher, this.workerEnvironment, signal);
    if (this.#announced) this.announce();
    return this.#worker.pid;
  }

  async killWorker(): Promise<number> {
    const worker = this.#worker;
    if (!worker?.isRunning) throw new StackError('There is no worker to kill. Remedy: start one first.');
    await worker.kill();
    this.#worker = null;
    if (this.#announced) this.announce();
    return worker.pid;
  }

  announce(): void {
    const { temporalAddress, namespace, uiUrl, databaseUrl, awsEndpoint, predictUrl } = this;
    const addresses = { temporalAddress, namespace, uiUrl, databaseUrl, awsEndpoint, predictUrl };
    writeStackFile(this.home, { ...addresses, pids: this.pids() });
    this.#announced = true;
  }

  stop(): Promise<void> {
    this.#announced = false;
    removeStackFile(this.home);
    this.#stopped ??= this.launcher.stopAll(graceMs);
    return this.#stopped;
  }
}

async function startDatabase(
  launcher: Launcher,
  options: StackOptions,
  signal: AbortSignal,
): Promise<string> {
  const databaseUrl = options.databaseUrl ?? (await startPostgres(launcher, signal));
  if (signal.aborted) throw new StackInterrupted();
  // A migration cannot be interrupted, but it ends when its database does.
  await Promise.race([migrateToLatest(databaseUrl), interruption(signal)]);
  return databaseUrl;
}

async function interruption(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw new StackInterrupted();
}

async function abortOthersOnFailure<T>(part: Promise<T>, failed: AbortController): Promise<T> {
  try {
    return await part;
  } catch (error) {
    failed.abort();
    throw error;
  }
}

/** The failure that came first is the cause; the others were only told to stop. */
function throwFirstFailure(results: readonly PromiseSettledResult<unknown>[]): void {
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  const cause = failures.find((failure) => !(failure instanceof StackInterrupted)) ?? failures[0];
  if (cause !== undefined) throw cause;
}

function unexpectedExit(ended: ManagedProcess, how: string): StackError {
  return new StackError(
    `${ended.name} ended by itself (${how}).${lastWords(ended.output())} See ${ended.logPath}.`,
  );
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
