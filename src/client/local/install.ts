import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { acquireSetupLock } from '../../../scripts/setup/lock.mjs';
import { CommandFailure } from '../exit.js';
import { pathFromClone } from '../repository-root.js';
import type { Home } from '../stack/home.js';
import { baseModel } from './base-model.js';
import { baseModelFile } from './base-model-file.js';
import { requireSpace, size } from './disk-space.js';
import { type Accelerator, enginePackages, findAccelerator } from './engine-packages.js';
import { findPython } from './find-python.js';
import { baseModelName, type LocalFolders, localFolders, readStamp } from './layout.js';
import { nodeLlamaCpp } from './node-llama-cpp.js';
import type { Part } from './part.js';
import { checkOwnPython, pythonTools, venvPython } from './python-tools.js';
import { quantiser } from './quantiser.js';

export interface InstallOptions {
  readonly home: Home;
  /** A folder with packages to use instead of the network; absolute. */
  readonly from: string | null;
  /** The Python to make the virtual environment of; the first suitable one on PATH unless given. */
  readonly python: string | null;
  /** A Python of the person's own to use as it is, instead of a virtual environment. */
  readonly ownPython: string | null;
  /** Where pip puts what it downloads. */
  readonly temporaryFolder: string;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** Installs what is missing and nothing else. Several at the same time wait for each other. */
export async function installLocalTools(options: InstallOptions): Promise<void> {
  const { home, ownPython, print } = options;
  const folders = localFolders(home);
  if (ownPython !== null) await checkOwnPython(ownPython);
  const parts = listParts(folders, options, await findAccelerator());
  if ((await missingOf(parts)).length === 0) {
    print(`Everything is there already in ${pathFromClone(folders.root)}; nothing was done.`);
  } else {
    mkdirSync(folders.root, { recursive: true });
    const release = await acquireSetupLock(join(folders.root, 'setup.lock'), (pid: number) =>
      print(`Another set-up is running (process ${pid}); waiting for it.`),
    );
    try {
      await installMissing(parts, folders, options);
    } finally {
      rmSync(folders.downloads, { recursive: true, force: true });
      release();
    }
  }
  print(nextSteps(folders, ownPython));
}

function listParts(
  folders: LocalFolders,
  { python, ownPython }: InstallOptions,
  accelerator: Accelerator | null,
): Part[] {
  const tools = pythonTools(folders, () => findPython(python ?? undefined));
  const engine = accelerator === null ? [] : [enginePackages(folders, accelerator, tools)];
  const modelPython = ownPython === null ? venvPython(folders) : resolve(ownPython);
  return [
    ...(ownPython === null ? [tools, ...engine] : []),
    quantiser(folders),
    nodeLlamaCpp(folders),
    baseModel(folders, modelPython),
    baseModelFile(folders, modelPython),
  ];
}

async function missingOf(parts: readonly Part[]): Promise<{ part: Part; reason: string }[]> {
  const missing = [];
  for (const part of parts) {
    const reason = await part.state();
    if (reason !== null) missing.push({ part, reason });
  }
  return missing;
}

async function installMissing(
  parts: readonly Part[],
  folders: LocalFolders,
  { from, python, ownPython, temporaryFolder, signal, print }: InstallOptions,
): Promise<void> {
  const missing = await missingOf(parts);
  // Both first: nothing is downloaded in vain.
  if (ownPython === null) await findPython(python ?? undefined);
  requireSpace(
    missing.flatMap(({ part }) => [
      { folder: folders.root, bytes: part.installedBytes },
      { folder: temporaryFolder, bytes: part.downloadBytes },
    ]),
  );
  print(`Setting up training on this machine in ${pathFromClone(folders.root)}:`);
  const startedAt = performance.now();
  for (const part of parts) {
    // Anew, since one part can be made of another.
    const reason = await part.state();
    if (reason === null) continue;
    const partStartedAt = performance.now();
    const amount = `about ${size(part.installedBytes)} on disk, ${size(part.downloadBytes)} to download`;
    print(`\n  ${part.name}: ${part.purpose}\n    ${reason}; ${amount}`);
    await part.install({ folders, from, signal, onProgress: (line) => print(`    ${line}`) });
    const problem = await part.state();
    if (problem !== null)
      throw new CommandFailure(`${part.name}: still to do: ${problem}. Log: ${folders.log}`);
    print(`    done after ${seconds(partStartedAt)}`);
  }
  const installed = readStamp(join(folders.venv, '.anneal-installed.json'));
  const amount = installed && ownPython === null ? `; the Python tools take ${size(installed.bytes)}` : '';
  print(`\nReady after ${seconds(startedAt)}${amount}.`);
}

function nextSteps(folders: LocalFolders, ownPython: string | null): string {
  const python = pathFromClone(ownPython ?? venvPython(folders));
  return `
  Python          ${python}
  quantiser       ${pathFromClone(folders.quantiser)}
  base model      ${pathFromClone(join(folders.baseModels, baseModelName))}

In a run spec: {"training": {"provider": "local", "baseModel": "${baseModelName}"}}
A base model of your own: put its Hugging Face folder beside this one and name it.
A Python with PyTorch of your own: ANNEAL_LOCAL_PYTHON=/path/to/python anneal setup local, and the same for the worker.
Delete ${pathFromClone(folders.root)} to remove everything.`;
}

function seconds(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
