/** A worker process of its own, so that its memory is that of the waits; talks to many-waiting.ts. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { loadConfig } from '../../workers/config.js';
import { createDependencies } from '../../workers/dependencies.js';
import { LongWait } from './long-wait.js';

export interface LongWaitState {
  readonly atMs: number;
  readonly rssBytes: number;
  readonly looks: number;
  readonly waiting: number;
  readonly over: number;
}

export type LongWaitOrder =
  | { readonly order: 'state' }
  | { readonly order: 'end'; readonly jobs: number; readonly spanMs: number }
  | { readonly order: 'lags' }
  | { readonly order: 'stop' };

const [address = '', taskQueue = ''] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const dependencies = await createDependencies(loadConfig(process.env));
const training = dependencies.providers.training.get('bedrock');
if (!training) throw new Error('There is no provider bedrock');
const wait = new LongWait(() => training.listOwned(null));
const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }),
  taskQueue,
  activities: wait.activities(),
  // As production's worker, see workers/worker.ts.
  maxConcurrentActivityTaskExecutions: 50,
  maxCachedWorkflows: 200,
  shutdownGraceTime: '1s',
});
const running = worker.run();
process.on('disconnect', () => process.exit(1));
process.on('message', (asked: LongWaitOrder) => {
  if (asked.order === 'end') wait.beginEnding(asked.jobs, asked.spanMs);
  if (asked.order === 'stop') worker.shutdown();
  process.send?.(asked.order === 'lags' ? wait.lagsMs : stateNow());
});
process.send?.(stateNow());
await running;
await connection.close();
await dependencies.close();
process.disconnect();

function stateNow(): LongWaitState {
  globalThis.gc?.();
  return { atMs: Date.now(), rssBytes: process.memoryUsage.rss(), ...wait.state };
}
