import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Before its first call that changes something, right after the answer to it, and after all its work. */
export const killPoints = ['before-call', 'after-commit', 'before-completion'] as const;
export type KillPoint = (typeof killPoints)[number];

/** A place in an activity at which the worker process kills itself, once. */
export interface ArmedKill {
  /** Unique for as long as the control folder is used. */
  readonly id: string;
  /** Prefix of the workflow's ID. */
  readonly workflow: string;
  readonly activityType: string;
  /** Which activity of the workflow; the first of the type that comes by unless given. */
  readonly activityId?: string;
  readonly point: KillPoint;
  /** Whether the activity makes a call that changes something; otherwise `before-call` is at its start. */
  readonly mutates: boolean;
}

/** What one attempt of an activity did. */
export interface ActivityTrace {
  readonly workflowId: string;
  readonly workflowType: string;
  readonly activityType: string;
  readonly activityId: string;
  readonly attempt: number;
  /** Outbound calls that change something, in order, as `service:Operation`. */
  readonly mutations: readonly string[];
  /** `waiting`: it looks again later, or was told to stop looking. */
  readonly ended: 'completed' | 'failed' | 'waiting';
}

/** A folder through which a campaign tells worker processes where to die, and they what they did. */
export class KillControl {
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  arm(kills: readonly ArmedKill[]): void {
    const path = join(this.folder, 'armed.json');
    writeFileSync(`${path}.new`, JSON.stringify(kills));
    renameSync(`${path}.new`, path);
  }

  armed(): ArmedKill[] {
    const path = join(this.folder, 'armed.json');
    const fired = this.fired();
    const kills = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ArmedKill[]) : [];
    return kills.filter(({ id }) => !fired.has(id));
  }

  /** The IDs of the kills that have happened. */
  fired(): Set<string> {
    return new Set(this.#lines<{ id: string }>('fired.jsonl').map(({ id }) => id));
  }

  /** On disk before the process dies, so that its successor does not die of the same. */
  fire(id: string): void {
    this.#append('fired.jsonl', { id, pid: process.pid });
  }

  trace(): ActivityTrace[] {
    return this.#lines<ActivityTrace>('trace.jsonl');
  }

  record(trace: ActivityTrace): void {
    this.#append('trace.jsonl', trace);
  }

  #append(name: string, line: object): void {
    appendFileSync(join(this.folder, name), `${JSON.stringify(line)}\n`);
  }

  #lines<T>(name: string): T[] {
    const path = join(this.folder, name);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
  }
}
