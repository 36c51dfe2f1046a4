import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();

/**
 * Runs a program in a process group of its own and resolves with its exit code and the end of its output,
 * also when it could not be started (`error`). The whole output goes to `logPath` when one is given.
 */
export function run(command, args, { cwd, env = process.env, logPath } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const log = openLog(logPath);
    let output = '';
    const collect = (chunk) => {
      output = (output + chunk).slice(-65_536);
      log?.write(chunk);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const finish = (result) => {
      running.delete(child);
      log?.end();
      resolve({ code: null, error: null, output, ...result });
    };
    child.once('error', (error) => finish({ error }));
    child.once('close', (code) => finish({ code }));
  });
}

/** Stops every program that `run` started, with its descendants; the stubborn ones after a second. */
export async function stopRunningProcesses() {
  const groups = [...running].map(({ pid }) => pid).filter((pid) => pid !== undefined);
  for (const group of groups) signalGroup(group, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < 1000 && groups.some(isGroupAlive); waitedMs += 50) await sleep(50);
  for (const group of groups) signalGroup(group, 'SIGKILL');
}

function openLog(path) {
  if (!path) return null;
  mkdirSync(dirname(path), { recursive: true });
  return createWriteStream(path);
}

function isGroupAlive(group) {
  return signalGroup(group, 0);
}

function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
