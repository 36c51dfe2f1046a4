import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type KnownProcess, processIdentity } from '../../activities/process-identity.js';
import type { Home } from './home.js';
import { signalGroup } from './managed-process.js';
import { StackError } from './stack-error.js';
import { readStackFile, removeStackFile } from './stack-file.js';

interface ProcessesFile {
  readonly owner: KnownProcess;
  /** The guardian is among them: while it lives it may still be ending the others. */
  readonly processes: readonly KnownProcess[];
}

/** The right of one process to run the stack of a home, and its list of the processes that belong to it. */
export interface Ownership {
  record(name: string, pid: number): void;
  forget(pid: number): void;
  release(): void;
}

/**
 * Takes a home for this process. Refused with the addresses while another living process has it; what a
 * killed one left behind is ended first. `onLeftovers` hears how many processes that were.
 */
export async function takeHome(home: Home, onLeftovers: (count: number) => void): Promise<Ownership> {
  mkdirSync(home.path, { recursive: true });
  for (;;) {
    const owner = { name: 'owner', pid: process.pid, identity: processIdentity(process.pid) ?? '' };
    if (createExclusively(home, { owner, processes: [] })) {
      removeStackFile(home);
      await endForgottenPostgres(home, onLeftovers);
      return new FileOwnership(home, owner);
    }
    const found = readProcesses(home);
    if (found === null) continue;
    if (isAlive(found.owner)) throw alreadyRunning(home, found.owner.pid);
    await endLeftovers(found, onLeftovers);
    setAside(home, found);
  }
}

/** The process that runs this home's stack, or null. */
export function runningOwner(home: Home): number | null {
  const found = readProcesses(home);
  return found && isAlive(found.owner) ? found.owner.pid : null;
}

class FileOwnership implements Ownership {
  #processes: readonly KnownProcess[] = [];

  constructor(
    readonly home: Home,
    readonly owner: KnownProcess,
  ) {}

  record(name: string, pid: number): void {
    const identity = processIdentity(pid);
    if (identity !== null) this.#write([...this.#processes, { name, pid, identity }]);
  }

  forget(pid: number): void {
    this.#write(this.#processes.filter((known) => known.pid !== pid));
  }

  release(): void {
    removeStackFile(this.home);
    rmSync(this.home.processesFile, { force: true });
  }

  #write(processes: readonly KnownProcess[]): void {
    this.#processes = processes;
    const draft = `${this.home.processesFile}.${process.pid}`;
    writeFileSync(draft, JSON.stringify({ owner: this.owner, processes }));
    renameSync(draft, this.home.processesFile);
  }
}

function alreadyRunning(home: Home, pid: number): StackError {
  const stack = readStackFile(home);
  if (!stack) {
    return new StackError(
      `A stack is starting or stopping in ${home.path} (process ${pid}). Remedy: wait for it, or stop that process.`,
    );
  }
  return new StackError(
    `A stack is already running in ${home.path} (process ${pid}): Temporal ${stack.temporalAddress}, Web UI ${stack.uiUrl}. ` +
      `Remedy: use it as it is, or stop it with Ctrl-C there or "kill ${pid}".`,
  );
}

function createExclusively(home: Home, contents: ProcessesFile): boolean {
  const draft = `${home.processesFile}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(contents));
  try {
    linkSync(draft, home.processesFile);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readProcesses(home: Home): ProcessesFile | null {
  try {
    return JSON.parse(readFileSync(home.processesFile, 'utf8')) as ProcessesFile;
  } catch {
    return null;
  }
}

/** Gives the dead owner's guardian two seconds, then ends what is verifiably still the same processes. */
async function endLeftovers(found: ProcessesFile, onLeftovers: (count: number) => void): Promise<void> {
  const isBusy = () => found.processes.some((known) => known.name === 'guardian' && isAlive(known));
  for (let waitedMs = 0; waitedMs < 2000 && isBusy(); waitedMs += 50) await sleep(50);
  const leftovers = found.processes.filter(isAlive);
  if (leftovers.length > 0) onLeftovers(leftovers.length);
  for (const { pid, name } of leftovers) {
    if (name === 'postgres') process.kill(pid, 'SIGINT');
    else signalGroup(pid, 'SIGTERM');
  }
  for (let waitedMs = 0; waitedMs < 3000 && leftovers.some(isAlive); waitedMs += 50) await sleep(50);
  for (const { pid } of leftovers) signalGroup(pid, 'SIGKILL');
}

/** Another process may have taken the home meanwhile: only the dead owner's file is removed. */
function setAside(home: Home, dead: ProcessesFile): void {
  const aside = `${home.processesFile}.stale.${process.pid}`;
  try {
    renameSync(home.processesFile, aside);
  } catch {
    return;
  }
  const moved = JSON.parse(readFileSync(aside, 'utf8')) as ProcessesFile;
  if (moved.owner.pid !== dead.owner.pid || moved.owner.identity !== dead.owner.identity) {
    if (!existsSync(home.processesFile)) linkSync(aside, home.processesFile);
  }
  rmSync(aside, { force: true });
}

/** A database server that no list names, but which works in this home's data folder. */
async function endForgottenPostgres(home: Home, onLeftovers: (count: number) => void): Promise<void> {
  const pidFile = join(home.postgres, 'postmaster.pid');
  if (process.platform !== 'linux' || !existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  const identity = processIdentity(pid);
  if (identity === null || workingFolder(pid) !== home.postgres) return;
  onLeftovers(1);
  process.kill(pid, 'SIGINT');
  for (let waitedMs = 0; waitedMs < 3000 && isAlive({ pid, identity }); waitedMs += 50) await sleep(50);
  if (isAlive({ pid, identity })) process.kill(pid, 'SIGKILL');
}

function workingFolder(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}
