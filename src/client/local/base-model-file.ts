import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardedModule } from '../../activities/guarded-module.js';
import { CommandFailure } from '../exit.js';
import { type LocalFolders, sha256Of } from './layout.js';
import { trainingFolder } from './python-tools.js';
import { runTool } from './run-tool.js';

export interface BaseModelFileOptions {
  readonly folders: LocalFolders;
  readonly name: string;
  readonly python: string;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** The description beside the file, as beside a converted model; `made` is what it was made from. */
interface Description {
  readonly sha256: string;
  readonly made: string;
}

/**
 * Converts a base model into the file that answers for it, `<name>.gguf` beside its folder, where that is missing
 * or was made from something else. The description is written last and says that the file is whole.
 */
export async function provideBaseModelFile(options: BaseModelFileOptions): Promise<void> {
  const { folders, name, python, signal, print } = options;
  const path = join(folders.baseModels, `${name}.gguf`);
  const description = `${path}.json`;
  const made = sha256Of(readIfThere(join(folders.baseModels, `.${name}.json`)), 'q8_0');
  if (existsSync(path) && descriptionIn(description)?.made === made) {
    print(`The untrained model answers from ${name}.gguf, which is there already.`);
    return;
  }
  print(`Converting the untrained model to q8_0, to compare with; once for this machine.`);
  rmSync(description, { force: true });
  // Two demos at once convert in folders of their own, to the same bytes.
  const directory = join(folders.baseModels, `.conversion-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  try {
    const request = join(directory, 'request.json');
    const baseModel = join(folders.baseModels, name);
    const outputs = [{ format: 'q8_0', path }];
    writeFileSync(
      request,
      JSON.stringify({ directory, baseModel, adapter: null, outputs, name, threads: 2 }),
    );
    let sha256 = '';
    let reason = '';
    const { exitCode, output } = await runTool({
      command: python,
      args: guardedModule('anneal_training.convert', request),
      cwd: trainingFolder,
      logPath: folders.log,
      signal,
      onLine: (line) => {
        const event = parseEvent(line);
        if (event?.event === 'file') sha256 = event.sha256 ?? '';
        if (event?.event === 'end' && event.status === 'failed') reason = event.message ?? '';
      },
    });
    if (sha256 === '' || reason !== '' || exitCode !== 0) {
      const why = reason || output.trim().split('\n').at(-1);
      throw new CommandFailure(`The base model could not be converted: ${why}. Log: ${folders.log}`);
    }
    writeFileSync(description, `${JSON.stringify({ sha256, made } satisfies Description)}\n`);
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
