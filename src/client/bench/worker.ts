import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createBenchActivities } from './activities.js';

export const benchTaskQueue = 'bench';

/** Runs work while a worker of the bench's own polls: for the workflows that ours are compared with. */
export async function withBenchWorker<T>(address: string, work: () => Promise<T>): Promise<T> {
  // Signals are the script's business: it stops the worker itself.
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  try {
    const worker = await Worker.create({
      connection,
      workflowBundle,
      taskQueue: benchTaskQueue,
      activities: createBenchActivities(),
      shutdownGraceTime: '1s',
    });
    return await worker.runUntil(work);
  } finally {
    await connection.close();
  }
}
