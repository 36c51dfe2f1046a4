import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { TrainingJobRequest } from '../../../domain/training-job.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { deleteArtifact, findDamage, manifestUriOf, uploadArtifact } from '../local/artifact.js';
import { readProgress } from '../local/events.js';
import { checkpointsUri, folderOf, rawOutputUri } from './create-request.js';

/** What came of a completed job: the identifier of its model, or why there is none. */
export type Published = { readonly modelId: string } | { readonly damage: string };

/** What a model is found by: the request, kept beside its files, and an entry in the list of models. */
export function requestUri(outputUri: string): string {
  return `${folderOf({ outputUri })}request.json`;
}

export function modelListUri(bucket: string, modelName = ''): string {
  return `s3://${bucket}/sagemaker-models/${modelName}${modelName === '' ? '' : '.json'}`;
}

/**
 * Turns `model.tar.gz` of a completed job into the adapter that conversion reads, once: the same files and manifest
 * as those of a job on this machine. What is not what the trainer wrote is never published.
 */
export async function publishAdapter(
  objects: ObjectStore,
  temporaryDirectory: string,
  request: TrainingJobRequest,
  archiveUri: string | null,
): Promise<Published> {
  const modelId = manifestUriOf(request);
  if ((await objects.head(modelId)) !== null) return { modelId };
  const archive = archiveUri === null ? null : await objects.read(archiveUri);
  if (archive === null) return { damage: `there is no ${archiveUri ?? 'model.tar.gz'}; it was deleted` };
  const folder = await mkdtemp(join(temporaryDirectory, 'anneal-sagemaker-'));
  try {
    await unpack(archive, folder);
    const adapterSha256 = await readAdapterHash(folder);
    const damage = await findDamage({ path: folder }, adapterSha256);
    if (damage !== null || adapterSha256 === null) return { damage: damage ?? '' };
    const entry = { modelName: request.modelName, outputUri: request.outputUri };
    await objects.put(
      modelListUri(objects.bucket, request.modelName),
      JSON.stringify(entry),
      'application/json',
    );
    const job = { path: folder, jobName: request.jobName, request: { request } };
    await uploadArtifact(objects, job, adapterSha256, await readProgress(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (archiveUri !== null && (await objects.head(archiveUri)) === null) {
    // Deleted meanwhile: nobody else knows of these files any more.
    await deleteModelFiles(objects, request);
    throw new Error(`The model ${request.modelName} was deleted while it was published`);
  }
  return { modelId };
}

/** Deletes what a job wrote and what was made of it: first what it could be published from again. */
export async function deleteModelFiles(objects: ObjectStore, request: TrainingJobRequest): Promise<void> {
  for (const prefix of [rawOutputUri(request), checkpointsUri(request)]) {
    for (const uri of await objects.list(`${prefix.replace(/\/$/, '')}/`)) await objects.delete(uri);
  }
  await deleteArtifact(objects, request);
  await objects.delete(modelListUri(objects.bucket, request.modelName));
  await objects.delete(requestUri(request.outputUri));
}

const wanted = /^(?:\.\/)?(events\.jsonl|adapter\/[\w.-]+)$/;

/** Writes the trainer's files alone: whatever else an archive names goes nowhere. */
async function unpack(archive: Readable, folder: string): Promise<void> {
  const entries = extract();
  const unpacked = pipeline(archive, createGunzip(), entries);
  // Told by the loop below, which ends with it.
  unpacked.catch(() => {});
  for await (const entry of entries) {
    const name = entry.header.type === 'file' ? wanted.exec(entry.header.name)?.[1] : undefined;
    if (name === undefined) {
      entry.resume();
      continue;
    }
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(entry, createWriteStream(path));
  }
  await unpacked;
}

/** The hash that the trainer wrote down at its end; null where it did not complete. */
async function readAdapterHash(folder: string): Promise<string | null> {
  try {
    const lines = (await readFile(join(folder, 'events.jsonl'), 'utf8')).trimEnd().split('\n');
    const end = JSON.parse(lines.at(-1) ?? '') as { event?: string; status?: string; adapterSha256?: string };
    return end.event === 'end' && end.status === 'completed' ? (end.adapterSha256 ?? null) : null;
  } catch {
    return null;
  }
}
