import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Config } from './config.js';
import { createDependencies } from './dependencies.js';
import { createWorker, type WorkerSettings } from './worker.js';

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
  const worker = await createWorker(dependencies, {
    ...settings,
    connection,
    namespace: profile.namespace ?? 'default',
    taskQueue: config.taskQueue,
  });
  return {
    run: async () => {
      try {
        await worker.run();
      } finally {
        await dependencies.close();
        await connection.close();
      }
    },
    shutdown: () => worker.shutdown(),
  };
}
