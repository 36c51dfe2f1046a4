import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main, repositoryRoot } from './main.mjs';

/** Commands that start a Temporal server, or talk to one through its command line. */
const commandsWithTemporal = ['up', 'demo'];

/** Makes sure that the command can run, then hands over to it. */
export async function launch() {
  const needsTemporal = commandsWithTemporal.includes(process.argv[2] ?? '');
  const exitCode = await main({ needsTemporal, needsBundle: needsTemporal });
  if (exitCode !== 0) return;
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(resolve(repositoryRoot, 'src/client/main.ts')).href);
}
