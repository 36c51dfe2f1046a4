import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesBelow, removeOld } from './cache.mjs';
import { run } from './process.mjs';

/** Null when the bundle of the present workflow code exists, or when there is nothing to bundle. */
export async function workflowBundleState(root) {
  if (!existsSync(join(root, 'src/workers/bundle.ts'))) return null;
  return existsSync(workflowBundlePath(root)) ? null : 'bundling';
}

/** A worker bundles for itself when this fails, and shows the error there: a fault in the code stops no set-up. */
export async function buildWorkflowBundle(root) {
  const path = workflowBundlePath(root);
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  const script = `const { bundleWorkflows } = await import('./src/workers/bundle.ts'); await bundleWorkflows(process.argv[1]);`;
  const { code, output } = await run(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script, partial],
    { cwd: root, logPath: join(root, '.anneal/logs/setup-bundle.log') },
  );
  if (code !== 0) {
    rmSync(partial, { force: true });
    return { summary: `left to the worker (${firstError(output)})` };
  }
  renameSync(partial, path);
  removeOld(dirname(path), 'workflow-bundle-');
  return { summary: 'built', bytes: statSync(path).size };
}

/** The prebuilt bundle of exactly the present workflow code, or null. */
export function currentWorkflowBundle(root) {
  const path = workflowBundlePath(root);
  return existsSync(path) ? path : null;
}

function workflowBundlePath(root) {
  const hash = createHash('sha256');
  const folders = ['src/domain', 'src/workflows'].map((folder) => join(root, folder));
  const files = [join(root, 'package-lock.json'), join(root, 'src/workers/bundle.ts')];
  for (const file of [...files, ...folders.flatMap(filesBelow).sort()]) {
    hash
      .update(file.slice(root.length))
      .update('\0')
      .update(existsSync(file) ? readFileSync(file) : '')
      .update('\0');
  }
  return join(root, `.anneal/cache/workflow-bundle-${hash.digest('hex').slice(0, 16)}.js`);
}

function firstError(output) {
  return (/^.*(?:Error|ERROR).*$/m.exec(output)?.[0] ?? 'see .anneal/logs/setup-bundle.log')
    .trim()
    .slice(0, 120);
}
