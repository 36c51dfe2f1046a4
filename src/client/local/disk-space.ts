import { existsSync, lstatSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandFailure } from '../exit.js';

/** Bytes that will be written below a folder, which need not exist yet. */
export interface SpaceNeed {
  readonly folder: string;
  readonly bytes: number;
}

/** Fails when a disk has less room than everything that is going to lie on it. */
export function requireSpace(needs: readonly SpaceNeed[]): void {
  for (const { folder, neededBytes, freeBytes } of totals(needs)) {
    if (freeBytes >= neededBytes) continue;
    throw new CommandFailure(
      `The disk of ${folder} has ${size(freeBytes)} free; the set-up needs ${size(neededBytes)}. ` +
        'Remedy: free some space, or name another place (ANNEAL_HOME for what is installed, TMPDIR and ' +
        'PIP_CACHE_DIR for what is downloaded).',
    );
  }
}

function totals(needs: readonly SpaceNeed[]) {
  const disks = new Map<number, { folder: string; neededBytes: number; freeBytes: number }>();
  for (const { folder, bytes } of needs) {
    const existing = nearestExisting(folder);
    const { dev } = statSync(existing);
    const { bavail, bsize } = statfsSync(existing);
    const known = disks.get(dev) ?? { folder: existing, neededBytes: 0, freeBytes: bavail * bsize };
    disks.set(dev, { ...known, neededBytes: known.neededBytes + bytes });
  }
  return [...disks.values()];
}

function nearestExisting(folder: string): string {
  return existsSync(folder) ? folder : nearestExisting(dirname(folder));
}

/** Bytes of all files below a folder, symbolic links not followed. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? folderBytes(path) : lstatSync(path).size;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}

export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;
}
