import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeploymentRequest } from '../../../domain/deployment.js';
import { PermanentFailure } from '../../../domain/failures.js';
import { readRecord, writeRecord } from '../../training/local/job-folder.js';
import type { ModelManifest } from './model-manifest.js';
import type { LlamaCppSettings } from './settings.js';

export const targetName = 'llama-cpp';

/** One deployment: a file `<home>/local/deployments/<name>.json`. */
export interface DeploymentRecord {
  /** What inference clients are given; a later deployment of the same name has another one. */
  readonly deploymentId: string;
  readonly request: DeploymentRequest & { readonly settings: LlamaCppSettings };
  /** Of what was asked for when it was created; see `hashRequest`. */
  readonly requestHash: string;
  /** The model that answers now: the request's, until an update. */
  readonly modelId: string;
  readonly model: ModelManifest;
  /** ISO-8601. */
  readonly createdAt: string;
}

export function newDeploymentId(name: string): string {
  return `${targetName}/${name}/${randomUUID().slice(0, 8)}`;
}

/** The deployment's name where an identifier is one of this target's; null for any other. */
export function nameIn(deploymentId: string): string | null {
  return /^llama-cpp\/([^/]+)\/[0-9a-z]+$/.exec(deploymentId)?.[1] ?? null;
}

/** Null when nothing bears that name, whoever made it. */
export function openRecord(home: string, name: string): Promise<DeploymentRecord | null> {
  return readRecord<DeploymentRecord>(recordPath(home, name));
}

/** A deployment that carries our tags; null for somebody else's and for none. */
export async function openOwnRecord(home: string, name: string): Promise<DeploymentRecord | null> {
  const record = await openRecord(home, name);
  return record && isOurs(record) ? record : null;
}

export function isOurs({ request }: DeploymentRecord): boolean {
  return request.tags['anneal:owner'] === 'anneal';
}

/** Everybody's, ours and others'. */
export async function listRecords(home: string): Promise<DeploymentRecord[]> {
  const names = await readdir(directoryOf(home)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const paths = names.filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const records = await Promise.all(
    paths.sort().map((name) => readRecord<DeploymentRecord>(join(directoryOf(home), name))),
  );
  return records.filter((record) => record !== null);
}

/**
 * Writes the record of a new deployment in one step. False when another one of that name was quicker, or when
 * `mayAppear` says no at the last moment.
 */
export async function createRecord(
  home: string,
  record: DeploymentRecord,
  mayAppear: () => boolean,
): Promise<boolean> {
  const path = recordPath(home, record.request.name);
  const beside = join(directoryOf(home), `.incoming.${randomUUID()}`);
  await mkdir(directoryOf(home), { recursive: true });
  try {
    await writeFile(beside, JSON.stringify(record, null, 2), { flush: true });
    if (!mayAppear()) return false;
    // Unlike a rename, a link never replaces what is there.
    await link(beside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(beside, { force: true });
  }
}

export function replaceRecord(home: string, record: DeploymentRecord): Promise<void> {
  return writeRecord(recordPath(home, record.request.name), record);
}

/** Succeeds when there is none. */
export function deleteRecord(home: string, name: string): Promise<void> {
  return rm(recordPath(home, name), { force: true });
}

function recordPath(home: string, name: string): string {
  if (/^[a-zA-Z0-9][-_a-zA-Z0-9]{0,127}$/.test(name)) return join(directoryOf(home), `${name}.json`);
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: deployment name: found "${name}"; allowed: up to 128 letters, digits, dashes and underscores.`,
  );
}

function directoryOf(home: string): string {
  return join(home, 'local', 'deployments');
}
