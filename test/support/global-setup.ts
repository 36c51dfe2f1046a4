import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { homeAt } from '../../src/client/stack/home.js';
import { Launcher } from '../../src/client/stack/launcher.js';
import { startPostgres } from '../../src/client/stack/postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Postgres server on which tests may create databases of their own. */
    databaseUrl: string;
  }
}

const postgresGraceMs = 5_000;

/**
 * One Postgres server for a whole run of tests, embedded and thrown away afterwards; another one is used when
 * `ANNEAL_TEST_DATABASE_URL` names it. Its address is provided as `databaseUrl` and as `DATABASE_URL`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const ownServer = process.env.ANNEAL_TEST_DATABASE_URL;
  if (ownServer) {
    expose(project, ownServer);
    return async () => {};
  }
  const folder = mkdtempSync(join(tmpdir(), 'anneal-test-postgres-'));
  const launcher = await Launcher.open(homeAt(folder), {
    onLeftovers: () => {},
    onUnexpectedExit: ({ logPath }, how) => {
      console.error(`The tests' Postgres server ended with ${how}; see ${logPath}`);
    },
  });
  const stop = async () => {
    await launcher.stopAll({ postgres: postgresGraceMs });
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    expose(project, await startPostgres(launcher));
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function expose(project: TestProject, databaseUrl: string): void {
  process.env.DATABASE_URL = databaseUrl;
  project.provide('databaseUrl', databaseUrl);
}
