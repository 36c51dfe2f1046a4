import { loadClientConnectConfig } from '@temporalio/envconfig';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { loadConfig } from './config.js';
import { createDependencies } from './dependencies.js';
import { createWorker } from './worker.js';

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
const profile = loadClientConnectConfig();
const namespace = profile.namespace ?? 'default';
const connection = await NativeConnection.connect(profile.connectionOptions);
const dependencies = await createDependencies(config);
const worker = await createWorker(dependencies, {
  connection,
  namespace,
  taskQueue: config.taskQueue,
  bundlePath: process.env.ANNEAL_WORKFLOW_BUNDLE ?? null,
});
process.once('disconnect', () => worker.shutdown());
process.stdout.write(`${JSON.stringify({ ready: true, taskQueue: config.taskQueue })}\n`);
try {
  await worker.run();
} finally {
  await dependencies.close();
  await connection.close();
}
