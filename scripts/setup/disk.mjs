import { lstatSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes, SetupProblem } from './problem.mjs';

/** Fails when a folder's disk has less free space than is about to be used. */
export function checkDiskSpace(folder, neededMegabytes) {
  const { bavail, bsize } = statfsSync(folder);
  const freeMegabytes = Math.floor((bavail * bsize) / 1e6);
  if (freeMegabytes < neededMegabytes) throw diskProblem(freeMegabytes, neededMegabytes);
}

export function diskProblem(freeMegabytes, neededMegabytes) {
  return new SetupProblem(
    exitCodes.disk,
    `The disk has ${freeMegabytes} MB free; the set-up needs ${neededMegabytes} MB.`,
    'free some space, or clone onto another disk.',
  );
}

/** Bytes of all files below a folder, symbolic links not followed. */
export function folderBytes(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? folderBytes(path) : lstatSync(path).size;
  }
  return bytes;
}

export function megabytes(bytes) {
  return `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;
}
