import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CommandFailure } from '../exit.js';
import { folderBytes } from './disk-space.js';
import { type LocalFolders, readStamp, sha256Of, writeStamp } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { trainingFolder } from './python-tools.js';
import { platformName } from './quantiser.js';
import { runTool } from './run-tool.js';

const manifestFolder = join(trainingFolder, 'node');
const manifests = ['package.json', 'package-lock.json'];

/** The library that answers inside the worker. It runs the quantiser's binaries, so they are there once. */
export function nodeLlamaCpp(folders: LocalFolders): Part {
  const stampPath = join(folders.node, '.anneal-installed.json');
  const wanted = sha256Of(...manifests.map((name) => readFileSync(join(manifestFolder, name), 'utf8')));
  return {
    name: 'node-llama-cpp',
    purpose: 'serves GGUF models inside the worker: the deployment target "llama-cpp"',
    installedBytes: 60e6,
    downloadBytes: 20e6,
    async state() {
      const stamp = readStamp(stampPath);
      if (stamp === null) return 'install';
      if (stamp.wanted !== wanted) return 'install again (training/node has changed)';
      const isThere = existsSync(join(folders.node, 'node_modules', 'node-llama-cpp', 'package.json'));
      return isThere ? null : 'install again (its files are gone)';
    },
    async install(context) {
      const partial = `${folders.node}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      for (const name of manifests) cpSync(join(manifestFolder, name), join(partial, name));
      await installPackages(partial, context);
      const binaries = join(partial, 'node_modules', '@node-llama-cpp');
      mkdirSync(binaries, { recursive: true });
      symlinkSync(relative(binaries, folders.quantiser), join(binaries, platformName()));
      rmSync(folders.node, { recursive: true, force: true });
      renameSync(partial, folders.node);
      writeStamp(stampPath, { wanted, bytes: folderBytes(folders.node) });
    },
  };
}

/** By the hashes of the lock file; no script of any package runs. */
async function installPackages(partial: string, context: InstallContext): Promise<void> {
  const { folders, from, signal, onProgress } = context;
  onProgress('node-llama-cpp and what it needs, without the binaries for graphics cards');
  const flags = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  const cache = from === null ? null : join(from, 'npm-cache');
  const { exitCode } = await runTool({
    command: 'npm',
    args: ['ci', ...flags, ...(cache === null ? [] : ['--offline', '--cache', cache])],
    cwd: partial,
    logPath: folders.log,
    signal,
  });
  if (exitCode === 0) return;
  throw new CommandFailure(
    cache === null
      ? 'npm could not install node-llama-cpp. Remedy: check the network, "npm config get registry" and the proxy ' +
          `settings, then run the same command again; without a network, use --from. Log: ${folders.log}`
      : `${cache} does not hold all packages of training/node. Remedy: where there is a network, run ` +
          `"npm ci ${flags.join(' ')} --cache ${cache}" in a copy of training/node. Log: ${folders.log}`,
  );
}
