import { randomBytes } from 'node:crypto';
import { type Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { AwsClients } from '../../src/aws/clients.js';
import type { RunResult, RunStatus } from '../../src/domain/run-state.js';
import type {
  LedgerEntry,
  SandboxClockChange,
  SandboxMetrics,
  SandboxResource,
  SandboxState,
} from '../../src/sandbox/admin.js';
import type { SettingsOverride } from '../../src/sandbox/settings.js';
import { loadConfig } from '../../src/workers/config.js';
import { createDependencies, type Dependencies } from '../../src/workers/dependencies.js';
import { runTogether, shutDown } from '../../src/workers/prepare.js';
import { createWorkers } from '../../src/workers/worker.js';
import { statusQuery, type WorkflowType } from '../../src/workflows/messages.js';
import { type Addresses, providedAddresses, vitest } from './addresses.js';
import { createTestDatabase } from './postgres.js';
import { hourInASecond, startTestSandbox } from './sandbox.js';
import { shareConnections } from './shared-connections.js';

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
// Whole lifecycles, several side by side: seconds on a free machine, minutes on a crowded one.
vitest?.vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** How a workflow ended: its result, or its failure's type and message. */
export type Ending<T = RunResult> =
  | { readonly closed: 'completed'; readonly result: T }
  | {
      readonly closed: 'failed' | 'cancelled' | 'terminated';
      readonly type: string;
      readonly message: string;
    };

/** A whole Anneal for one test file: own worker, own task queue, own database, own local cloud. */
export interface TestService {
  readonly client: Client;
  readonly dependencies: Dependencies;
  readonly taskQueue: string;
  readonly addresses: Addresses;
  readonly endpoint: string;
  /** Where the local cloud keeps its state. */
  readonly cloudDirectory: string;
  /** What a worker process of its own would find in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The clients of somebody else in the same cloud account. */
  readonly stranger: AwsClients;
  /** A model name that no other test uses. */
  newModel(): string;
  start(type: WorkflowType | string, input?: unknown, workflowId?: string): Promise<WorkflowHandle>;
  /** Runs a workflow to its end, which must be a result. */
  execute<T = RunResult>(type: WorkflowType, input: unknown, workflowId?: string): Promise<T>;
  /** Runs a workflow to its end, whatever that is. */
  run<T = RunResult>(type: WorkflowType | string, input?: unknown): Promise<Ending<T>>;
  endOf<T = RunResult>(handle: WorkflowHandle): Promise<Ending<T>>;
  /** Waits until a run's status satisfies the condition. */
  awaitStatus(handle: WorkflowHandle, condition: (status: RunStatus) => boolean): Promise<RunStatus>;
  /** What the local cloud has now that costs money. */
  live(): Promise<SandboxResource[]>;
  state(): Promise<SandboxState>;
  ledger(): Promise<readonly LedgerEntry[]>;
  metrics(): Promise<SandboxMetrics>;
  /** Sandbox seconds in a real second from now on. */
  setClock(scale: number): Promise<void>;
  stop(): Promise<void>;
}

export interface TestServiceOptions {
  readonly sandbox?: SettingsOverride;
  /** Seconds between polls. */
  readonly pollSeconds?: number;
  /** Sandbox seconds in a real second. */
  readonly clockScale?: number;
  /** False where the test brings workers of its own. */
  readonly worker?: boolean;
  /** The servers of this test run unless given. */
  readonly addresses?: Addresses;
  /** Settings of the workers beside those that every test has. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts everything that a lifecycle needs, through the production code path. */
export async function startService(options: TestServiceOptions = {}): Promise<TestService> {
  const sandbox = await startTestSandbox(options.sandbox, options.clockScale ?? hourInASecond);
  const addresses = options.addresses ?? providedAddresses();
  const { databaseUrl, drop } = await createTestDatabase(addresses.databaseUrl);
  const taskQueue = `test-${randomBytes(5).toString('hex')}`;
  const poll = options.pollSeconds ?? 0.4;
  const environment = {
    ANNEAL_CLOUD: 'sandbox',
    ANNEAL_AWS_ENDPOINT: sandbox.endpoint,
    DATABASE_URL: databaseUrl,
    ANNEAL_TASK_QUEUE: taskQueue,
    ANNEAL_CALLS_PER_SECOND: '200',
    ANNEAL_LEASE_WATCH_SECONDS: '1',
    ANNEAL_LEASE_LOOK_AGAIN_SECONDS: '3',
    ANNEAL_WAITING_SECONDS: `${poll},${poll},${poll}`,
    ...options.environment,
  };
  const dependencies = await createDependencies(loadConfig(environment));
  const stopWorker =
    options.worker === false ? async () => {} : await runWorker(dependencies, taskQueue, addresses);
  const shared = await shareConnections(addresses.temporalAddress);
  const { client } = shared;
  return {
    client,
    dependencies,
    taskQueue,
    addresses,
    endpoint: sandbox.endpoint,
    cloudDirectory: sandbox.stateDirectory,
    environment,
    stranger: sandbox.newClients(),
    newModel: () => `model-${randomBytes(4).toString('hex')}`,
    ...runner(client, taskQueue),
    ...cloud(sandbox.endpoint),
    stop: async () => {
      await stopWorker();
      await shared.release();
      await dependencies.close();
      await sandbox.close();
      await drop();
    },
  };
}

/** Runs a worker in this process; returns what ends it. */
export async function runWorker(
  dependencies: Dependencies,
  taskQueue: string,
  addresses: Addresses = providedAddresses(),
): Promise<() => Promise<void>> {
  const { connection, release } = await shareConnections(addresses.temporalAddress);
  const workers = await createWorkers(dependencies, {
    connection,
    namespace: 'default',
    taskQueue,
    bundlePath: addresses.bundlePath,
  });
  const running = runTogether(workers);
  return async () => {
    shutDown(workers);
    await running;
    await release();
  };
}

function runner(
  client: Client,
  taskQueue: string,
): Pick<TestService, 'start' | 'execute' | 'run' | 'endOf' | 'awaitStatus'> {
  const start = (type: string, input?: unknown, workflowId = `test/${randomBytes(6).toString('hex')}`) =>
    client.workflow.start(type, { taskQueue, workflowId, args: input === undefined ? [] : [input] });
  return {
    start,
    execute: async <T>(type: WorkflowType, input: unknown, workflowId?: string) =>
      (await (await start(type, input, workflowId)).result()) as T,
    run: async <T>(type: string, input?: unknown) => endOf<T>(await start(type, input)),
    endOf,
    awaitStatus: async (handle, condition) => {
      const deadline = Date.now() + 60_000;
      for (;;) {
        const status = await handle.query(statusQuery);
        if (condition(status)) return status;
        if (Date.now() > deadline) throw new Error(`Never came true; last status: ${JSON.stringify(status)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

function cloud(endpoint: string): Pick<TestService, 'live' | 'state' | 'ledger' | 'metrics' | 'setClock'> {
  const state = () => admin<SandboxState>(endpoint, 'state');
  return {
    state,
    live: async () => (await state()).resources.filter(isLiveAndPaid),
    ledger: async () => (await admin<{ entries: LedgerEntry[] }>(endpoint, 'ledger')).entries,
    metrics: () => admin<SandboxMetrics>(endpoint, 'metrics'),
    setClock: async (scale) => {
      const body = JSON.stringify({ scale } satisfies SandboxClockChange);
      const { ok } = await fetch(`${endpoint}/_anneal/clock`, { method: 'POST', body });
      if (!ok) throw new Error(`The sandbox refused the clock scale ${scale}`);
    },
  };
}

async function endOf<T>(handle: WorkflowHandle): Promise<Ending<T>> {
  try {
    return { closed: 'completed', result: (await handle.result()) as T };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const reason = cause instanceof ActivityFailure ? cause.cause : cause;
    const type = reason instanceof ApplicationFailure ? (reason.type ?? '') : '';
    const { name } = (await handle.describe()).status;
    const closed = name === 'TERMINATED' ? 'terminated' : isCancelled(cause) ? 'cancelled' : 'failed';
    return { closed, type, message: reason?.message ?? '' };
  }
}

function isCancelled(cause: unknown): boolean {
  return cause instanceof CancelledFailure;
}

async function admin<T>(endpoint: string, what: string): Promise<T> {
  const response = await fetch(`${endpoint}/_anneal/${what}`);
  return (await response.json()) as T;
}

/** Jobs and buckets exist for ever and cost nothing by the hour; a running job does cost. */
function isLiveAndPaid({ kind, isLive, status }: SandboxResource): boolean {
  if (kind === 'bucket') return false;
  if (kind === 'trainingJob') return status === 'InProgress' || status === 'Stopping';
  return isLive;
}
