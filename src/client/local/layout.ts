import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../stack/home.js';

/** The model that set-up brings, by the name that run specs use. */
export const baseModelName = 'smollm2-135m-instruct';

/** Where the tools of this machine lie; every part is complete or absent. */
export interface LocalFolders {
  readonly root: string;
  readonly venv: string;
  readonly quantiser: string;
  /** What answers inside the worker; see src/activities/inference/llama-cpp/node-llama-cpp.ts. */
  readonly node: string;
  readonly baseModels: string;
  /** Packages on their way; gone when set-up has ended. */
  readonly downloads: string;
  readonly log: string;
}

export function localFolders(home: Home): LocalFolders {
  const root = join(home.path, 'local');
  return {
    root,
    venv: join(root, 'venv'),
    quantiser: join(root, 'quantiser'),
    node: join(root, 'node'),
    baseModels: join(root, 'base-models'),
    downloads: join(root, 'downloads'),
    log: join(home.logs, 'setup-local.log'),
  };
}

/** Says what is installed; written last of all, so its absence means that an installation was not finished. */
export interface Stamp {
  /** Changes when what is to be installed changes. */
  readonly wanted: string;
  readonly bytes: number;
}

export function readStamp(path: string): Stamp | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Stamp;
  } catch {
    return null;
  }
}

export function writeStamp(path: string, stamp: Stamp): void {
  writeFileSync(path, `${JSON.stringify(stamp)}\n`);
}

export function sha256Of(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\n')).digest('hex');
}
