import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes, SetupProblem } from './problem.mjs';

const patienceMs = 20 * 60_000;

/**
 * Takes a lock file that names its process, waiting while another living process holds it and taking it over
 * from a dead one. Returns the function that gives it back; it is also given back when this process exits.
 */
export async function acquireSetupLock(path, onWait) {
  const deadline = Date.now() + patienceMs;
  let told = false;
  for (;;) {
    if (tryLock(path)) return releaseOf(path);
    const holder = readHolder(path);
    if (holder === null) continue;
    if (!isAlive(holder)) {
      removeStale(path, holder);
      continue;
    }
    if (!told) onWait(holder);
    told = true;
    if (Date.now() > deadline) {
      throw new SetupProblem(
        exitCodes.locked,
        `Another set-up (process ${holder}) has not ended for ${patienceMs / 60_000} minutes.`,
        `stop that process, or delete ${path} if it is none of Anneal's.`,
      );
    }
    await sleep(250);
  }
}

/** A link either appears complete or not at all, so no reader ever sees a lock without its holder. */
function tryLock(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

function releaseOf(path) {
  const release = () => {
    if (readHolder(path) === process.pid) rmSync(path, { force: true });
  };
  process.once('exit', release);
  return () => {
    process.removeListener('exit', release);
    release();
  };
}

function readHolder(path) {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two waiting processes may both see the dead holder: only what is still that holder's is removed. */
function removeStale(path, holder) {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readHolder(aside) !== holder) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one has locked meanwhile; the one set aside will find its lock gone and only wait longer.
    }
  }
  rmSync(aside, { force: true });
}
