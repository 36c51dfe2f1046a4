import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingJobRequest } from '../../../domain/training-job.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { hashFile } from '../../hash-file.js';
import type { TrainingProgress } from './events.js';
import type { JobFolder } from './job-folder.js';

export interface ArtifactFile {
  /** Below the artifact's folder, for instance `adapter/adapter_model.safetensors`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** `manifest.json` of a LoRA adapter: written last, so that an artifact with a manifest is whole. */
export interface AdapterManifest {
  readonly schemaVersion: 1;
  readonly kind: 'lora-adapter';
  readonly provider: string;
  readonly jobName: string;
  readonly modelName: string;
  readonly baseModel: string;
  readonly hyperparameters: Readonly<Record<string, string>>;
  readonly trainingDataSha256: string;
  readonly validationDataSha256: string | null;
  readonly steps: number | null;
  readonly trainingLoss: number | null;
  readonly validationLoss: number | null;
  /** What it was trained on, for instance `cpu`. */
  readonly device: string | null;
  /** What trained it, for instance `torch`. */
  readonly engine: string | null;
  /** SHA-256 of `adapter/adapter_model.safetensors`. */
  readonly adapterSha256: string;
  readonly files: readonly ArtifactFile[];
  readonly tags: Readonly<Record<string, string>>;
}

const weights = 'adapter/adapter_model.safetensors';

/** The identifier of the trained model. */
export function manifestUriOf(request: TrainingJobRequest): string {
  return `${folderOf(request)}manifest.json`;
}

/** What keeps a finished job's adapter from being used; null when it is what the trainer wrote. */
export async function findDamage(
  { path }: Pick<JobFolder, 'path'>,
  adapterSha256: string | null,
): Promise<string | null> {
  if (adapterSha256 === null) return 'the trainer named no hash of its adapter';
  const found = await hashFile(join(path, weights)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return `the trainer completed without ${weights}`;
  if (found === adapterSha256) return null;
  return `${weights} has SHA-256 ${found}; the trainer wrote ${adapterSha256}`;
}

/** Where the adapter and events of a completed job lie, and what they were made from. */
export interface TrainedFolder {
  readonly path: string;
  readonly jobName: string;
  readonly request: { readonly request: TrainingJobRequest };
}

/** Uploads adapter and events, the manifest last; returns the manifest's URI. Safe to repeat. */
export async function uploadArtifact(
  objects: ObjectStore,
  { path, jobName, request: { request } }: TrainedFolder,
  adapterSha256: string,
  progress: TrainingProgress,
): Promise<string> {
  const names = (await readdir(join(path, 'adapter'))).sort().map((name) => `adapter/${name}`);
  const files: ArtifactFile[] = [];
  for (const name of [...names, 'events.jsonl']) {
    const file = join(path, name);
    files.push({ path: name, bytes: (await stat(file)).size, sha256: await hashFile(file) });
    await objects.putFile(`${folderOf(request)}${name}`, file);
  }
  const manifest: AdapterManifest = {
    schemaVersion: 1,
    kind: 'lora-adapter',
    provider: request.provider,
    jobName,
    modelName: request.modelName,
    baseModel: request.baseModel,
    hyperparameters: request.hyperparameters,
    trainingDataSha256: request.training.sha256,
    validationDataSha256: request.validation?.sha256 ?? null,
    steps: progress.step?.step ?? null,
    trainingLoss: progress.step?.trainingLoss ?? null,
    validationLoss: progress.validationLoss,
    device: progress.device,
    engine: progress.engine,
    adapterSha256,
    files,
    tags: request.tags,
  };
  const uri = manifestUriOf(request);
  await objects.put(uri, `${JSON.stringify(manifest, null, 2)}\n`, 'application/json');
  return uri;
}

/** Deletes what `uploadArtifact` wrote, the manifest first, so that no half of it looks whole. */
export async function deleteArtifact(objects: ObjectStore, request: TrainingJobRequest): Promise<void> {
  const folder = folderOf(request);
  const adapter = await objects.list(`${folder}adapter/`);
  for (const uri of [manifestUriOf(request), ...adapter, `${folder}events.jsonl`]) await objects.delete(uri);
}

function folderOf({ outputUri }: TrainingJobRequest): string {
  return outputUri.endsWith('/') ? outputUri : `${outputUri}/`;
}
