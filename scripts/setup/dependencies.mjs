import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { folderBytes } from './disk.mjs';
import { exitCodes, SetupProblem } from './problem.mjs';
import { run } from './process.mjs';

const stampPath = (root) => join(root, 'node_modules/.anneal-setup.json');
/** npm writes this last of all, so its absence means that an installation was not finished. */
const installedLockPath = (root) => join(root, 'node_modules/.package-lock.json');

/** Null when the installed packages are those of package-lock.json; else what is to be done. */
export async function dependenciesState(root) {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const wanted = stampOf(lock);
  if (readText(stampPath(root)) === wanted) return null;
  if (!existsSync(join(root, 'node_modules'))) return 'npm ci';
  const installed = readText(installedLockPath(root));
  if (installed === null) return 'npm ci (an earlier one was not finished)';
  if (!sameAsLock(root, JSON.parse(lock), JSON.parse(installed))) {
    return 'npm ci (package-lock.json has changed)';
  }
  writeStamp(root, wanted);
  return null;
}

export async function installDependencies(root) {
  // Removed first: an installation that is interrupted must not look finished.
  rmSync(stampPath(root), { force: true });
  rmSync(installedLockPath(root), { force: true });
  const npm = npmCommand();
  const flags = ['--include=dev', '--no-audit', '--no-fund', '--prefer-offline', '--no-progress'];
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1500', '--fetch-retry-factor=3'];
  const result = await run(npm.command, [...npm.args, 'ci', ...flags, ...patience], {
    cwd: root,
    logPath: join(root, '.anneal/logs/setup-npm.log'),
  });
  if (result.code !== 0) throw npmProblem(result);
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  writeStamp(root, stampOf(lock));
  const packages = Object.keys(JSON.parse(readFileSync(installedLockPath(root), 'utf8')).packages).length;
  return { summary: `${packages} packages`, bytes: folderBytes(join(root, 'node_modules')) };
}

/** Turns a failed `npm ci` into one line with its remedy. */
export function npmProblem({ output, error }) {
  const problem = (message, remedy, exitCode = exitCodes.dependencies) =>
    new SetupProblem(exitCode, message, remedy);
  if (error) return problem(`npm could not be started (${error.code}).`, 'install npm together with Node.');
  const code =
    /(?:npm (?:error|ERR!) code|errno|network) ([A-Z_0-9]{4,})/.exec(output)?.[1] ?? 'no error code';
  if (/ENOSPC/.test(output)) {
    return problem('The disk is full.', 'free about 1 GB, then run the same command again.', exitCodes.disk);
  }
  if (unreachable.test(output)) {
    return problem(
      `The npm registry is not reachable (${unreachable.exec(output)?.[0] ?? code}).`,
      'check the network, "npm config get registry" and the proxy settings, then run the same command again.',
    );
  }
  if (/EUSAGE/.test(output)) {
    return problem(
      'package-lock.json does not fit package.json.',
      '"git checkout package-lock.json", or "npm install" after a change of dependencies.',
    );
  }
  if (/EACCES|EPERM/.test(output)) {
    return problem(
      'npm may not write where it has to (EACCES).',
      'mend the owner of this folder and of npm\'s cache ("npm config get cache").',
    );
  }
  return problem(`npm ci failed (${code}).`, 'see .anneal/logs/setup-npm.log.');
}

const unreachable =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E40[137]|E50[234]|CERT_[A-Z_]+|SELF_SIGNED[A-Z_]*|UNABLE_TO_[A-Z_]+/;

/** npm as it called us, else the one beside this Node, else the one on PATH. */
function npmCommand() {
  const caller = process.env.npm_execpath;
  const beside = join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
  for (const script of [caller, beside]) {
    if (script && basename(script) === 'npm-cli.js' && existsSync(script)) {
      return { command: process.execPath, args: [script] };
    }
  }
  return { command: 'npm', args: [] };
}

/** Packages that people installed themselves are as good as ours when they are the same ones. */
function sameAsLock(root, lock, installed) {
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '' || wanted.optional) return true;
    const found = installed.packages[path];
    return found?.version === wanted.version && existsSync(join(root, path, 'package.json'));
  });
}

function stampOf(lock) {
  const lockSha256 = createHash('sha256').update(lock).digest('hex');
  return JSON.stringify({ lockSha256, platform: process.platform, architecture: process.arch });
}

function writeStamp(root, stamp) {
  try {
    writeFileSync(stampPath(root), stamp);
  } catch (error) {
    // A read-only installation (an image, a shared folder) is checked anew each time, which is only slower.
    if (error.code !== 'EACCES' && error.code !== 'EROFS') throw error;
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
