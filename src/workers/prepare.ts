import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { Config } from './config.js';
import { createDependencies } from './dependencies.js';
import { createWorkers, type WorkerSettings } from './worker.js';

/** A worker that is connected to everything and has not polled yet. */
export interface PreparedWorker {
  /** Polls until the worker is told to stop, drains, and closes every connection. */
  run(): Promise<void>;
  /** Ends `run`. */
  shutdown(): void;
}

/** Builds the worker of this process; Temporal's address comes from its profile or environment. */
export async function prepareWorker(
  config: Config,
  settings: Pick<WorkerSettings, 'bundlePath' | 'interceptors'>,
): Promise<PreparedWorker> {
  const profile = loadClientConnectConfig();
  const connection = await NativeConnection.connect(profile.connectionOptions);
  const dependencies = await createDependencies(config);
  const workers = await createWorkers(dependencies, {
    ...settings,
    connection,
    namespace: profile.namespace ?? 'default',
    taskQueue: config.taskQueue,
  });
  return {
    run: async () => {
      try {
        await runTogether(workers);
      } finally {
        await dependencies.close();
        await connection.close();
      }
    },
    shutdown: () => shutDown(workers),
  };
}

/** Until all have drained; when one ends, for whatever reason, the others are told to. */
export async function runTogether(workers: readonly Worker[]): Promise<void> {
  const running = workers.map((worker) => worker.run().finally(() => shutDown(workers)));
  const ends = await Promise.allSettled(running);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

export function shutDown(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
