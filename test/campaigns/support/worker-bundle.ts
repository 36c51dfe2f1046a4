import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../../scripts/setup/programs.mjs';
import { processIdentity } from '../../../src/activities/process-identity.js';
import { repositoryRoot } from '../../../src/client/repository-root.js';
import { bundleWorkflows } from '../../../src/workers/bundle.js';

const entry = fileURLToPath(new URL('worker-main.ts', import.meta.url));
const impatience = fileURLToPath(new URL('impatience.ts', import.meta.url));

/** The workflows with the campaigns' impatience, in one file; returns its path. */
export const provideWorkflows = onceHere('workflows', 'js', (path) => bundleWorkflows(path, [impatience]));

/** worker-main.ts and all it imports in one file, which starts in a third of the time; returns its path. */
export const provideWorker = onceHere('worker', 'mjs', compileWorker);

/** Writes a file the first time it is asked for in this process. */
function onceHere(
  name: string,
  extension: string,
  write: (path: string) => Promise<void>,
): () => Promise<string> {
  let written: Promise<string> | null = null;
  const writeOnce = async () => {
    // Below the repository: there are the packages that stay outside.
    const folder = join(repositoryRoot, '.anneal/campaigns');
    mkdirSync(folder, { recursive: true });
    removeLeftovers(folder);
    const path = join(folder, `${name}-${process.pid}.${extension}`);
    await write(path);
    return path;
  };
  return () => {
    written ??= writeOnce().catch((error: unknown) => {
      written = null;
      throw error;
    });
    return written;
  };
}

/** A test's process is killed at its end, and takes nothing away. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(/-(\d+)\.m?js(?:\.map)?$/.exec(name)?.[1]);
    if (processIdentity(pid) === null) rmSync(join(folder, name), { force: true });
  }
}

async function compileWorker(path: string): Promise<void> {
  const { dir, name } = parse(path);
  await compile({ entryPoints: [{ in: entry, out: name }], outdir: dir });
}
