import { createHash } from 'node:crypto';
import type { DatasetManifest, StoredFile } from '../../domain/dataset.js';
import { canonicalJson } from '../../domain/json.js';
import type { ObjectStore } from './object-store.js';
import type { LocalFile, WrittenSplits } from './write-splits.js';

/** A manifest before its files have an address. */
export type ManifestFacts = Omit<
  DatasetManifest,
  'schema' | 'sha256' | 'manifestUri' | 'training' | 'validation' | 'heldOut' | 'records'
>;

/**
 * Uploads the files and then the manifest, so that a manifest never names a file that is not there. They lie
 * in a folder named by the hash of everything in them: an upload is safe to repeat and never replaces a
 * dataset that differs in anything.
 */
export async function publish(
  splits: WrittenSplits,
  facts: ManifestFacts,
  destination: string,
  objects: ObjectStore,
): Promise<DatasetManifest> {
  const hashes = [splits.training.sha256, splits.validation.sha256, splits.heldOut.sha256];
  const folder = `${destination}/${sha256(canonicalJson([hashes, facts])).slice(0, 32)}`;
  const hasValidation = splits.validation.records > 0;
  const training = await upload(splits.training, `${folder}/training.jsonl`, objects);
  const validation = hasValidation
    ? await upload(splits.validation, `${folder}/validation.jsonl`, objects)
    : null;
  const heldOut = hasValidation ? await upload(splits.heldOut, `${folder}/held-out.jsonl`, objects) : null;
  const manifest: DatasetManifest = {
    schema: 'dataset-manifest/v1',
    sha256: datasetHash(training, validation),
    manifestUri: `${folder}/manifest.json`,
    training,
    validation,
    heldOut,
    records: splits.training.records + splits.validation.records,
    ...facts,
  };
  await objects.put(manifest.manifestUri, `${canonicalJson(manifest)}\n`, 'application/json');
  return manifest;
}

/** Identifies a dataset by its two split files. */
export function datasetHash(
  training: Pick<StoredFile, 'sha256'>,
  validation: Pick<StoredFile, 'sha256'> | null,
): string {
  return sha256(`${training.sha256}\n${validation?.sha256 ?? ''}\n`);
}

async function upload(file: LocalFile, uri: string, objects: ObjectStore): Promise<StoredFile> {
  await objects.putFile(uri, file.path, 'application/jsonl');
  return { uri, sha256: file.sha256, bytes: file.bytes, records: file.records };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
