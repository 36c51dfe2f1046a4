import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { CommandFailure } from '../exit.js';
import { type LocalFolders, readStamp, sha256Of, writeStamp } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { installPackages, trainingFolder, venvPython } from './python-tools.js';
import { runTool } from './run-tool.js';

/** What computes on this machine besides its processor. */
export type Accelerator = 'apple' | 'nvidia';

interface EnginePackages {
  readonly name: string;
  readonly purpose: string;
  readonly requirements: string;
  readonly module: string;
  readonly installedBytes: number;
  readonly downloadBytes: number;
}

const packagesFor: Readonly<Record<Accelerator, EnginePackages>> = {
  apple: {
    name: 'MLX',
    purpose: 'trains on the GPU of Apple silicon',
    requirements: 'requirements-mlx.txt',
    module: 'mlx_lm',
    installedBytes: 185e6,
    downloadBytes: 47e6,
  },
  nvidia: {
    name: 'bitsandbytes',
    purpose: "holds a base model's weights in 4 bits while its adapter is trained (QLoRA)",
    requirements: 'requirements-bitsandbytes.txt',
    module: 'bitsandbytes',
    installedBytes: 130e6,
    downloadBytes: 45e6,
  },
};

export async function findAccelerator(): Promise<Accelerator | null> {
  if (process.platform === 'darwin') return process.arch === 'arm64' ? 'apple' : null;
  if (process.platform !== 'linux') return null;
  // It comes with the driver, without which a GPU is of no use.
  const { exitCode, stdout } = await execa('nvidia-smi', ['--list-gpus'], { reject: false });
  return exitCode === 0 && /^GPU \d/m.test(stdout) ? 'nvidia' : null;
}

/** What an engine needs beside the Python tools, in their virtual environment. */
export function enginePackages(folders: LocalFolders, accelerator: Accelerator, pythonTools: Part): Part {
  const { requirements, module, ...shown } = packagesFor[accelerator];
  const path = join(trainingFolder, requirements);
  const stampPath = join(folders.venv, `.anneal-installed-${module}.json`);
  const wanted = sha256Of(readFileSync(path, 'utf8'));
  return {
    ...shown,
    async state() {
      // With them goes the whole environment.
      if ((await pythonTools.state()) !== null) return 'install';
      if (!existsSync(stampPath)) return 'install';
      return readStamp(stampPath)?.wanted === wanted
        ? null
        : `install again (training/${requirements} has changed)`;
    },
    async install(context) {
      // What they need is in the environment already, in the versions that are tested.
      // Also what an interruption left half written.
      await installPackages(context, path, ['--no-deps', '--force-reinstall']);
      await checkImport(module, context);
      writeStamp(stampPath, { wanted, bytes: shown.installedBytes });
    },
  };
}

async function checkImport(module: string, { folders, signal }: InstallContext): Promise<void> {
  const result = await runTool({
    command: venvPython(folders),
    args: ['-c', `import ${module}`],
    logPath: folders.log,
    signal,
  });
  if (result.exitCode === 0) return;
  const reason = result.output.trim().split('\n').at(-1) ?? '';
  throw new CommandFailure(`The installed package ${module} does not load: ${reason}. Log: ${folders.log}`);
}
