import { chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Launcher } from './launcher.js';
import type { ProcessOptions } from './managed-process.js';
import { freePort, withPortRetries } from './ports.js';
import { locatePostgres, type PostgresBinaries, postgresUserId } from './postgres-binaries.js';
import { StackError } from './stack-error.js';

const usualPort = 5433;

/** Starts the embedded Postgres on loopback; returns the URL of the database `anneal`, which may not exist yet. */
export async function startPostgres(launcher: Launcher, signal?: AbortSignal): Promise<string> {
  const binaries = locatePostgres();
  const logPath = launcher.logPath('postgres');
  if (!existsSync(launcher.home.postgres)) await initialise(launcher, binaries, logPath, signal);
  checkOwner(launcher.home.postgres);
  return withPortRetries(async (attempt) => {
    const port = await freePort(attempt === 0 ? usualPort : null);
    const server = await launcher.start({
      ...inDataFolder(launcher.home.postgres),
      name: 'postgres',
      command: binaries.postgres,
      args: serverArguments(launcher.home.postgres, port),
      logPath,
      // "Fast shutdown": sessions are ended, nothing is lost. Its own processes are the server's business.
      stopSignal: 'SIGINT',
      stopTarget: 'leader',
    });
    const isReady = () => (server.output().includes('ready to accept connections') ? true : null);
    // After a crash on a slow disk, recovery comes first.
    await server.until(isReady, { timeoutMs: 60_000, signal });
    return `postgres://postgres@127.0.0.1:${port}/anneal`;
  });
}

function serverArguments(dataFolder: string, port: number): string[] {
  return [
    ...['-D', dataArgument(dataFolder), '-p', String(port), '-c', 'listen_addresses=127.0.0.1'],
    ...['-c', 'unix_socket_directories=', '-c', 'log_checkpoints=off'],
  ];
}

/** Made beside its place and moved there, so that an interrupted start leaves no half database. */
async function initialise(
  launcher: Launcher,
  binaries: PostgresBinaries,
  logPath: string,
  signal?: AbortSignal,
): Promise<void> {
  const draft = `${launcher.home.postgres}.partial`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const userId = postgresUserId();
  if (userId !== undefined) chownSync(draft, userId, userId);
  const initdb = await launcher.start({
    ...inDataFolder(draft),
    name: 'initdb',
    command: binaries.initdb,
    args: [
      ...['-D', dataArgument(draft), '--no-sync', '--username=postgres', '--auth=trust'],
      ...['--encoding=UTF8', '--locale=C'],
    ],
    logPath,
  });
  initdb.stopping = true;
  await initdb.until(() => (/^Success\./m.test(initdb.output()) ? true : null), {
    timeoutMs: 60_000,
    signal,
  });
  await initdb.exited;
  renameSync(draft, launcher.home.postgres);
}

/**
 * As root, the server runs as `nobody`, who may not pass through a closed home folder by its path. On Linux
 * its data folder is therefore entered before the user changes, and named as "here".
 */
function inDataFolder(folder: string): Pick<ProcessOptions, 'cwd' | 'userId' | 'env'> {
  const { PATH, LANG, TMPDIR } = process.env;
  return { cwd: entersFolder() ? folder : '/', userId: postgresUserId(), env: { PATH, LANG, TMPDIR } };
}

function dataArgument(folder: string): string {
  return entersFolder() ? '/proc/self/cwd' : folder;
}

function entersFolder(): boolean {
  return process.platform === 'linux';
}

function checkOwner(dataFolder: string): void {
  const { uid } = statSync(dataFolder);
  const expected = postgresUserId() ?? process.getuid?.();
  if (expected === undefined || uid === expected) return;
  throw new StackError(
    `${dataFolder} belongs to user ${uid}, not ${expected}: this home was used by another user, or as root. ` +
      'Remedy: run as that user again, or start afresh with "anneal reset".',
  );
}
