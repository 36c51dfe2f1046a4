import { randomBytes } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import type { RunResult, RunStatus } from '../../src/domain/run-state.js';
import type { LedgerEntry, SandboxResource, SandboxState } from '../../src/sandbox/admin.js';
import type { SettingsOverride } from '../../src/sandbox/settings.js';
import { loadConfig } from '../../src/workers/config.js';
import { connectTemporal, createDependencies, type Dependencies } from '../../src/workers/dependencies.js';
import { createWorker } from '../../src/workers/worker.js';
import { statusQuery, type WorkflowType } from '../../src/workflows/messages.js';
import { createTestDatabase } from './postgres.js';
import { startTestSandbox } from './sandbox.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** A whole Anneal for one test file: own worker, own task queue, own database, own local cloud. */
export interface TestService {
  readonly client: Client;
  readonly dependencies: Dependencies;
  readonly taskQueue: string;
  readonly endpoint: string;
  /** A model name that no other test uses. */
  newModel(): string;
  start(type: WorkflowType | string, input?: unknown, workflowId?: string): Promise<WorkflowHandle>;
  /** Runs a workflow to its end. */
  execute(type: WorkflowType, input: unknown): Promise<RunResult>;
  /** Waits until a run's status satisfies the condition. */
  awaitStatus(handle: WorkflowHandle, condition: (status: RunStatus) => boolean): Promise<RunStatus>;
  /** What the local cloud has now that costs money. */
  live(): Promise<SandboxResource[]>;
  ledger(): Promise<readonly LedgerEntry[]>;
  stop(): Promise<void>;
}

export interface TestServiceOptions {
  readonly sandbox?: SettingsOverride;
  /** Seconds between polls. */
  readonly pollSeconds?: number;
}

/** Starts everything that a lifecycle needs, through the production code path. */
export async function startService(options: TestServiceOptions = {}): Promise<TestService> {
  const sandbox = await startTestSandbox(options.sandbox);
  const { databaseUrl, drop } = await createTestDatabase();
  const taskQueue = `test-${randomBytes(5).toString('hex')}`;
  const address = inject('temporalAddress');
  const poll = options.pollSeconds ?? 0.2;
  const config = loadConfig({
    ANNEAL_CLOUD: 'sandbox',
    ANNEAL_AWS_ENDPOINT: sandbox.endpoint,
    DATABASE_URL: databaseUrl,
    ANNEAL_TASK_QUEUE: taskQueue,
    ANNEAL_LEASE_WATCH_SECONDS: '0.5',
    ANNEAL_WAITING_SECONDS: `${poll},${poll},${poll}`,
  });
  const dependencies = await createDependencies(config);
  const connection = await NativeConnection.connect({ address });
  const worker = await createWorker(dependencies, {
    connection,
    namespace: 'default',
    taskQueue,
    bundlePath: inject('bundlePath'),
  });
  const running = worker.run();
  const client = await connectTemporal(address, 'default');
  return {
    client,
    dependencies,
    taskQueue,
    endpoint: sandbox.endpoint,
    newModel: () => `model-${randomBytes(4).toString('hex')}`,
    ...runner(client, taskQueue),
    live: async () => {
      const { resources } = await admin<SandboxState>(sandbox.endpoint, 'state');
      return resources.filter(isLiveAndPaid);
    },
    ledger: async () => (await admin<{ entries: LedgerEntry[] }>(sandbox.endpoint, 'ledger')).entries,
    stop: async () => {
      await shutDown(worker, running);
      await client.connection.close();
      await dependencies.close();
      await connection.close();
      await sandbox.close();
      await drop();
    },
  };
}

function runner(client: Client, taskQueue: string): Pick<TestService, 'start' | 'execute' | 'awaitStatus'> {
  const start = (type: string, input?: unknown, workflowId = `test/${randomBytes(6).toString('hex')}`) =>
    client.workflow.start(type, { taskQueue, workflowId, args: input === undefined ? [] : [input] });
  return {
    start,
    execute: async (type, input) => (await (await start(type, input)).result()) as RunResult,
    awaitStatus: async (handle, condition) => {
      const deadline = Date.now() + 30_000;
      for (;;) {
        const status = await handle.query(statusQuery);
        if (condition(status)) return status;
        if (Date.now() > deadline) throw new Error(`Never came true; last status: ${JSON.stringify(status)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

async function shutDown(worker: Worker, running: Promise<void>): Promise<void> {
  worker.shutdown();
  await running;
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
