import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { repositoryRoot } from '../../../src/client/repository-root.js';

const entry = fileURLToPath(new URL('worker-main.ts', import.meta.url));

/**
 * Writes worker-main.ts and all it imports into one file, which starts in a third of the time; returns its
 * path. Plugins may put other code in the place of modules.
 */
export async function bundleWorker(plugins: readonly Plugin[] = []): Promise<string> {
  // Below the repository, so that the packages that stay outside are found.
  const outfile = join(repositoryRoot, '.anneal/campaigns', `worker-${randomBytes(6).toString('hex')}.mjs`);
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
    plugins: [...plugins],
    logLevel: 'error',
  });
  return outfile;
}
