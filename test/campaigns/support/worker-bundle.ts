import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { processIdentity } from '../../../src/activities/process-identity.js';
import { repositoryRoot } from '../../../src/client/repository-root.js';
import { bundleWorkflows } from '../../../src/workers/bundle.js';

const entry = fileURLToPath(new URL('worker-main.ts', import.meta.url));
const impatience = fileURLToPath(new URL('impatience.ts', import.meta.url));

/** The workflows with the campaigns' impatience, in one file; returns its path. */
export const provideWorkflows = onceHere('workflows', 'js', (path) => bundleWorkflows(path, [impatience]));

/** worker-main.ts and all it imports in one file, which starts in a third of the time; returns its path. */
export const provideWorker = onceHere('worker', 'mjs', bundleWorker);

/** Writes a file the first time it is asked for in this process. */
function onceHere(
  name: string,
  extension: string,
  write: (path: string) => Promise<void>,
): () => Promise<string> {
  let written: Promise<string> | null = null;
  const writeOnce = async () => {
    // Two folders below the repository, as the source is: there are the packages that stay outside, and its data.
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
    const pid = Number(/-(\d+)\.m?js$/.exec(name)?.[1]);
    if (processIdentity(pid) === null) rmSync(join(folder, name), { force: true });
  }
}

async function bundleWorker(outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    // With native parts, or found by path at run time.
    external: ['@temporalio/*', 'pg-native'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
}
