import { once } from 'node:events';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { loadConfig } from '../../../src/workers/config.js';
import { prepareWorker } from '../../../src/workers/prepare.js';
import { KillControl } from './kill-control.js';
import { installKillHooks } from './kill-hooks.js';

/**
 * The worker of src/workers/main.ts, which dies where a control folder says so. It gets ready, says so, and
 * polls once it is told to: a spare that costs no start-up time when it is needed.
 */
Runtime.install({
  logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
    console.error(JSON.stringify({ level, message, ...meta }, (_, value) => readable(value)));
  }),
  shutdownSignals: [],
});
// Whoever started this process is gone.
process.once('disconnect', () => process.exit(0));

const { ANNEAL_CAMPAIGN_CONTROL: folder, ANNEAL_WORKFLOW_BUNDLE: bundlePath = null } = process.env;
if (!folder) throw new Error('ANNEAL_CAMPAIGN_CONTROL names the control folder of this worker');
const interceptors = installKillHooks(new KillControl(folder));
const worker = await prepareWorker(loadConfig(), { bundlePath, interceptors });
process.send?.('ready');
await once(process, 'message');
await worker.run();

function readable(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === 'bigint' ? String(value) : value;
}
