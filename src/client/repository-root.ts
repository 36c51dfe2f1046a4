import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the clone, wherever a command was started. */
export const repositoryRoot = resolve(fileURLToPath(new URL('../..', import.meta.url)));
