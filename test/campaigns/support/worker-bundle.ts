import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { processIdentity } from '../../../src/activities/process-identity.js';
import { repositoryRoot } from '../../../src/client/repository-root.js';
import { bundleWorkflows } from '../../../src/workers/bundle.js';

const entry = fileURLToPath(new URL('worker-main.ts', import.meta.url));
const impatience = fileURLToPath(new URL('impatience.ts', import.meta.url));

/** What the workers of all campaigns run. Paths of files. */
export interface Bundles {
  readonly worker: string;
  readonly workflows: string;
}

let built: Promise<Bundles> | null = null;

/** Bundles once in this process. */
export function provideBundles(): Promise<Bundles> {
  built ??= bundle().catch((error: unknown) => {
    built = null;
    throw error;
  });
  return built;
}

async function bundle(): Promise<Bundles> {
  // Two folders below the repository, as the source is: there are the packages that stay outside, and its data.
  const folder = join(repositoryRoot, '.anneal/campaigns');
  mkdirSync(folder, { recursive: true });
  removeLeftovers(folder);
  const { pid } = process;
  const bundles = {
    worker: join(folder, `worker-${pid}.mjs`),
    workflows: join(folder, `workflows-${pid}.js`),
  };
  await Promise.all([bundleWorker(bundles.worker), bundleWorkflows(bundles.workflows, [impatience])]);
  return bundles;
}

/** A test's process is killed at its end, and takes nothing away. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(/-(\d+)\.m?js$/.exec(name)?.[1]);
    if (processIdentity(pid) === null) rmSync(join(folder, name), { force: true });
  }
}

/** Writes worker-main.ts and all it imports into one file, which starts in a third of the time. */
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
