import { DefaultLogger, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { loadConfig } from './config.js';
import { prepareWorker } from './prepare.js';

/**
 * The worker process: polls until it is told to stop, then drains. Prints one JSON line on stdout once it
 * polls; logs go to stderr.
 */
const logger = pino({ level: process.env.ANNEAL_LOG_LEVEL ?? 'info' }, pino.destination(2));
Runtime.install({
  logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
    const method = level === 'TRACE' ? 'trace' : (level.toLowerCase() as 'debug' | 'info' | 'warn' | 'error');
    logger[method]({ ...meta }, message);
  }),
  shutdownSignals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
});

const config = loadConfig();
const worker = await prepareWorker(config, { bundlePath: process.env.ANNEAL_WORKFLOW_BUNDLE ?? null });
process.once('disconnect', () => worker.shutdown());
process.stdout.write(`${JSON.stringify({ ready: true, taskQueue: config.taskQueue })}\n`);
await worker.run();
