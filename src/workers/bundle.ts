import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

export const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/**
 * Bundles the workflows into one file, complete or absent: a worker starts in half a second from it.
 * `interceptors` are paths of modules that stand around the workflows.
 */
export async function bundleWorkflows(
  outputPath: string,
  interceptors: readonly string[] = [],
): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [...interceptors],
    logger: quietLogger,
  });
  await mkdir(dirname(outputPath), { recursive: true });
  const temporary = `${outputPath}.${process.pid}`;
  await writeFile(temporary, code);
  await rename(temporary, outputPath);
}

const quietLogger = {
  log: () => {},
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: (message: string) => console.error(message),
  error: (message: string) => console.error(message),
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [outputPath] = process.argv.slice(2);
  if (!outputPath) throw new Error('Usage: bundle.ts OUTPUT');
  await bundleWorkflows(outputPath);
}
