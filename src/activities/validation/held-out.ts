import { datasetManifestSchema } from '../../domain/dataset/manifest.js';
import type { DatasetManifest, DatasetRecord } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ObjectStore } from '../dataset/object-store.js';

/** Throws `PermanentFailure('ValidationFailed')` when it is gone. */
export async function loadManifest(objects: ObjectStore, uri: string): Promise<DatasetManifest> {
  const text = await objects.getText(uri);
  if (text === null) {
    throw new PermanentFailure('ValidationFailed', `ValidationFailed: the dataset manifest ${uri} is gone.`);
  }
  return datasetManifestSchema.parse(JSON.parse(text));
}

/** The records of the validation split; none where nothing is held out. */
export async function heldOutRecords(
  objects: ObjectStore,
  manifest: DatasetManifest,
): Promise<DatasetRecord[]> {
  const text = manifest.heldOut && (await objects.getText(manifest.heldOut.uri));
  if (!text) return [];
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as DatasetRecord);
}
