import { pathToFileURL } from 'node:url';
import { main, repositoryRoot } from './main.mjs';
import { provideProgram } from './programs.mjs';

/** Commands that start a Temporal server, or talk to one through its command line. */
const commandsWithTemporal = ['up', 'demo'];

/** Makes sure that the command can run, then hands over to it. */
export async function launch() {
  const needsTemporal = commandsWithTemporal.includes(process.argv[2] ?? '');
  const exitCode = await main({ needsTemporal, needsBundle: needsTemporal });
  if (exitCode !== 0) return;
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(await provideProgram(repositoryRoot, 'client')).href);
}
