import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeAt } from '../../src/client/stack/home.js';
import { Launcher } from '../../src/client/stack/launcher.js';
import { startPostgres } from '../../src/client/stack/postgres-server.js';
import { startTemporal } from '../../src/client/stack/temporal-server.js';
import { bundleWorkflows } from '../../src/workers/bundle.js';
import type { Addresses } from './addresses.js';

/** One Postgres server and one Temporal server, embedded and thrown away afterwards. */
export interface TestServers extends Addresses {
  /** Knows the processes of both. */
  readonly launcher: Launcher;
  close(): Promise<void>;
}

/**
 * The server wakes for timers and retries up to a second late unless told otherwise; and it looks for due ones twenty
 * times a second at most, for all tests together, and by itself every five minutes only.
 */
const promptTimers = [
  'history.timerProcessorMaxTimeShift="100ms"',
  'history.timerProcessorMaxPollRPS=500',
  'history.timerProcessorMaxPollInterval="10s"',
].flatMap((value) => ['--dynamic-config-value', value]);

const graceMs = { temporal: 3_000, postgres: 5_000 };

export interface TestServersOptions {
  /** Paths of modules that stand around the workflows. */
  readonly workflowInterceptors?: readonly string[];
  readonly temporalArguments?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onUnexpectedExit?: (name: string, how: string, logPath: string) => void;
}

/** Another Postgres is used when `ANNEAL_TEST_DATABASE_URL` names it. */
export async function startTestServers(options: TestServersOptions = {}): Promise<TestServers> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const folder = mkdtempSync(join(tmpdir(), 'anneal-test-'));
  const launcher = await Launcher.open(homeAt(folder), {
    onLeftovers: () => {},
    onUnexpectedExit: ({ name, logPath }, how) => {
      const tell = options.onUnexpectedExit ?? reportExit;
      tell(name, how, logPath);
    },
  });
  const close = async () => {
    await launcher.stopAll(graceMs);
    rmSync(folder, { recursive: true, force: true });
  };
  const bundlePath = join(folder, 'workflow-bundle.js');
  const { signal } = options;
  const temporalArguments = [...promptTimers, ...(options.temporalArguments ?? [])];
  try {
    const [databaseUrl, temporal] = await Promise.all([
      process.env.ANNEAL_TEST_DATABASE_URL ?? startPostgres(launcher, signal),
      startTemporal(launcher, signal, temporalArguments),
      bundleWorkflows(bundlePath, options.workflowInterceptors),
    ]);
    return {
      databaseUrl,
      temporalAddress: temporal.address,
      bundlePath,
      serversFolder: folder,
      launcher,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function reportExit(name: string, how: string, logPath: string): void {
  console.error(`The tests' ${name} ended with ${how}; see ${logPath}`);
}
