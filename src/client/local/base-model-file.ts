import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardedModule } from '../../activities/guarded-module.js';
import { CommandFailure } from '../exit.js';
import { baseModelName, type LocalFolders, sha256Of } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { trainingFolder } from './python-tools.js';
import { runTool } from './run-tool.js';

/** The description beside the file, as beside a converted model; `made` is what it was made from. */
interface Description {
  readonly sha256: string;
  readonly made: string;
}

/**
 * The file that answers for the untrained model, `<name>.gguf` beside its folder. Its description is written last
 * and says that the file is whole.
 */
export function baseModelFile(folders: LocalFolders, python: string): Part {
  const path = join(folders.baseModels, `${baseModelName}.gguf`);
  const description = `${path}.json`;
  const wanted = () => sha256Of(readIfThere(join(folders.baseModels, `.${baseModelName}.json`)), 'q8_0');
  return {
    name: "base model's file",
    purpose: 'answers as the untrained model does, to compare with: "serve": "base" in infer specs',
    installedBytes: 145e6,
    downloadBytes: 0,
    async state() {
      if (!existsSync(path) || !existsSync(description)) return 'install';
      return descriptionIn(description)?.made === wanted()
        ? null
        : 'install again (the base model has changed)';
    },
    async install(context) {
      rmSync(description, { force: true });
      context.onProgress('converting the base model to q8_0');
      const sha256 = await convert(python, path, context);
      const made = wanted();
      writeFileSync(description, `${JSON.stringify({ sha256, made } satisfies Description)}\n`);
    },
  };
}

/** Returns the SHA-256 of the file. */
async function convert(python: string, path: string, { folders, signal }: InstallContext): Promise<string> {
  const directory = join(folders.baseModels, '.conversion');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const outputs = [{ format: 'q8_0', path }];
  const baseModel = join(folders.baseModels, baseModelName);
  const request = { directory, baseModel, adapter: null, outputs, name: baseModelName, threads: 2 };
  writeFileSync(join(directory, 'request.json'), JSON.stringify(request));
  let sha256 = '';
  let reason = '';
  try {
    const { exitCode, output } = await runTool({
      command: python,
      args: guardedModule('anneal_training.convert', join(directory, 'request.json')),
      cwd: trainingFolder,
      logPath: folders.log,
      signal,
      onLine: (line) => {
        const event = parseEvent(line);
        if (event?.event === 'file') sha256 = event.sha256 ?? '';
        if (event?.event === 'end' && event.status === 'failed') reason = event.message ?? '';
      },
    });
    if (sha256 !== '' && reason === '' && exitCode === 0) return sha256;
    const why = reason || output.trim().split('\n').at(-1);
    throw new CommandFailure(`The base model could not be converted: ${why}. Log: ${folders.log}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function descriptionIn(path: string): Description | null {
  try {
    return JSON.parse(readIfThere(path)) as Description;
  } catch {
    return null;
  }
}

interface ConversionEvent {
  readonly event: string;
  readonly status?: string;
  readonly message?: string | null;
  readonly sha256?: string;
}

function parseEvent(line: string): ConversionEvent | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as ConversionEvent;
  } catch {
    return null;
  }
}
