import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the clone, wherever a command was started. */
export const repositoryRoot = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** A path as people type it in the clone's folder: relative to it, or absolute where it lies elsewhere. */
export function pathFromClone(path: string): string {
  const fromClone = relative(repositoryRoot, path);
  return fromClone.startsWith('..') ? path : fromClone;
}
