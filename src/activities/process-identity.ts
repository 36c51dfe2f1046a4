import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * What distinguishes a process from a later one with the same number: when it started, and in which boot.
 * Null when there is no such process, or nothing is to be found out about it.
 */
export function processIdentity(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
    }
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may itself hold blanks and brackets.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}

/**
 * The identity as twelve hexadecimal digits, for file names: numbers of processes come again, after a restart in a
 * container even at once. Null when there is no such process.
 */
export function identityDigits(pid: number): string | null {
  const identity = processIdentity(pid);
  return identity && createHash('sha256').update(identity).digest('hex').slice(0, 12);
}

/** A process as it was when somebody wrote it down. */
export interface KnownProcess {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
}

/** Whether that very process still lives. */
export function isAlive({ pid, identity }: Pick<KnownProcess, 'pid' | 'identity'>): boolean {
  return processIdentity(pid) === identity;
}
