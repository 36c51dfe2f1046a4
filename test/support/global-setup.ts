import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { homeAt } from '../../src/client/stack/home.js';
import { Launcher } from '../../src/client/stack/launcher.js';
import { startPostgres } from '../../src/client/stack/postgres-server.js';
import { startTemporal } from '../../src/client/stack/temporal-server.js';
import { bundleWorkflows } from '../../src/workers/bundle.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Postgres server on which tests may create databases of their own. */
    databaseUrl: string;
    /** A Temporal server; tests keep apart by task queue, workflow ID and model name. */
    temporalAddress: string;
    /** The workflows, bundled once for every worker of the run. */
    bundlePath: string;
  }
}

/** The server wakes for timers and retries up to a second late unless told otherwise. */
const promptTimers = ['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="100ms"'];

const graceMs = { temporal: 3_000, postgres: 5_000 };

/**
 * One Postgres server and one Temporal server for a whole run of tests, embedded and thrown away
 * afterwards; another Postgres is used when `ANNEAL_TEST_DATABASE_URL` names it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const folder = mkdtempSync(join(tmpdir(), 'anneal-test-'));
  const launcher = await Launcher.open(homeAt(folder), {
    onLeftovers: () => {},
    onUnexpectedExit: ({ name, logPath }, how) => {
      console.error(`The tests' ${name} ended with ${how}; see ${logPath}`);
    },
  });
  const stop = async () => {
    await launcher.stopAll(graceMs);
    rmSync(folder, { recursive: true, force: true });
  };
  const bundlePath = join(folder, 'workflow-bundle.js');
  try {
    const [databaseUrl, temporal] = await Promise.all([
      process.env.ANNEAL_TEST_DATABASE_URL ?? startPostgres(launcher),
      startTemporal(launcher, undefined, promptTimers),
      bundleWorkflows(bundlePath),
    ]);
    process.env.DATABASE_URL = databaseUrl;
    project.provide('databaseUrl', databaseUrl);
    project.provide('temporalAddress', temporal.address);
    project.provide('bundlePath', bundlePath);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
