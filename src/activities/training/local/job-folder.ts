import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../../domain/failures.js';
import type { TrainingJobRequest } from '../../../domain/training-job.js';
import { ifAbsent, namesIn, readRecord } from '../../record-files.js';

/** `request.json`: what was asked for. Its presence makes a folder a job. */
export interface RecordedRequest {
  readonly request: TrainingJobRequest;
  /** SHA-256 of everything that decides what is trained; see `hashOf` in submit.ts. */
  readonly requestHash: string;
  /** ISO-8601; the place in the machine's line. */
  readonly submittedAt: string;
}

/** `ended.json`: written last, by the supervisor. */
export interface RecordedEnd {
  readonly status: 'completed' | 'stopped' | 'failed';
  readonly message: string | null;
  /** SHA-256 of `adapter/adapter_model.safetensors`. */
  readonly adapterSha256: string | null;
  /** ISO-8601. */
  readonly at: string;
}

/** Everything of one job lies in its folder; a name that begins with a dot is no job. */
export interface JobFolder {
  readonly home: string;
  readonly jobName: string;
  readonly path: string;
  readonly request: RecordedRequest;
}

const deletedPrefix = '.deleted.';
const incomingPrefix = '.incoming.';

export function jobsDirectory(home: string): string {
  return join(home, 'local', 'jobs');
}

/** Throws `PermanentFailure('InvalidInput')` for what could lead out of the jobs' folder. */
export function jobPath(home: string, jobName: string): string {
  if (!/^[a-zA-Z0-9][-_a-zA-Z0-9]{0,127}$/.test(jobName)) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: jobName: found "${jobName}"; allowed: up to 128 letters, digits, dashes and underscores.`,
    );
  }
  return join(jobsDirectory(home), jobName);
}

/** Null when there is no job of that name, whoever submitted it. */
export async function openJob(home: string, jobName: string): Promise<JobFolder | null> {
  const path = jobPath(home, jobName);
  const request = await readRecord<RecordedRequest>(join(path, 'request.json'));
  return request && { home, jobName, path, request };
}

/** A job that carries our tags; null for somebody else's and for none. */
export async function openOwnJob(home: string, jobName: string): Promise<JobFolder | null> {
  const job = await openJob(home, jobName);
  return job && isOurs(job) ? job : null;
}

export function isOurs({ request }: JobFolder): boolean {
  return request.request.tags['anneal:owner'] === 'anneal';
}

export async function listJobs(home: string): Promise<JobFolder[]> {
  const names = await namesIn(jobsDirectory(home));
  const jobs = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => openJob(home, name)),
  );
  return jobs.filter((job) => job !== null);
}

export function readEnd({ path }: JobFolder): Promise<RecordedEnd | null> {
  return readRecord<RecordedEnd>(join(path, 'ended.json'));
}

/** Whether somebody has asked for the job's end. */
export function isCancelled({ path }: JobFolder): boolean {
  return existsSync(join(path, 'cancel'));
}

/**
 * Makes a job's folder in one step: `fill` works beside, and nobody sees the folder before it is whole. False
 * when another one of that name was quicker, or when `mayAppear` says no at the last moment.
 */
export async function createJob(
  home: string,
  jobName: string,
  fill: (path: string) => Promise<void>,
  mayAppear: () => boolean,
): Promise<boolean> {
  const path = jobPath(home, jobName);
  const beside = join(jobsDirectory(home), `${incomingPrefix}${jobName}.${process.pid}.${randomUUID()}`);
  await mkdir(beside, { recursive: true });
  try {
    await fill(beside);
    if (!mayAppear() || existsSync(path)) return false;
    await rename(beside, path);
    return true;
  } catch (error) {
    // A folder replaces an empty one only: somebody else made the job in the meantime.
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** Deletes a job's folder; it is gone at once, and its bytes soon. Succeeds when there is none. */
export async function deleteJob(home: string, jobName: string): Promise<void> {
  const gone = join(jobsDirectory(home), `${deletedPrefix}${jobName}.${randomUUID()}`);
  await rename(jobPath(home, jobName), gone).catch(ifAbsent(undefined));
  await removeLeftovers(home);
}

/** What a killed process has left half made or half deleted. */
export async function removeLeftovers(home: string): Promise<void> {
  const directory = jobsDirectory(home);
  const names = await namesIn(directory);
  for (const name of names.filter(isLeftover)) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

function isLeftover(name: string): boolean {
  if (name.startsWith(deletedPrefix)) return true;
  return name.startsWith(incomingPrefix) && !isRunning(Number(name.split('.').at(-2)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
