import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const kept = 3;

/** Paths of all files in a folder and those in it; none where there is no such folder. */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Keeps what the last few versions of the source came to: a program that runs may still load parts of its own. */
export function removeOld(folder, prefix) {
  const found = readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ path: join(folder, name), changedMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.changedMs - a.changedMs);
  for (const { path } of found.slice(kept)) rmSync(path, { recursive: true, force: true });
}
