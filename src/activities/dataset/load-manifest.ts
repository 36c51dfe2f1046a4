import { createHash } from 'node:crypto';
import { z } from 'zod';
import { datasetManifestSchema } from '../../domain/dataset/manifest.js';
import type { DatasetManifest, StoredFile } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ObjectStore } from './object-store.js';
import { datasetHash } from './publish.js';

const largestManifestBytes = 1024 * 1024;

/** Loads a dataset that was built before, and proves that its files are still what the manifest says. */
export async function loadManifest(
  uri: string,
  objects: ObjectStore,
  signal?: AbortSignal,
): Promise<DatasetManifest> {
  const manifest = parseManifest(uri, await readManifest(uri, objects));
  if (manifest.sha256 !== datasetHash(manifest.training, manifest.validation)) {
    throw rejected(uri, 'has a "sha256" that does not follow from those of its files');
  }
  for (const file of [manifest.training, manifest.validation, manifest.heldOut]) {
    if (file !== null) await verify(uri, file, objects, signal);
  }
  return manifest;
}

async function readManifest(uri: string, objects: ObjectStore): Promise<string> {
  if (!/^s3:\/\/[^/]+\/.*[^/]$/s.test(uri)) {
    throw invalid(uri, 'is not of the form s3://bucket/key. Give the URI of a manifest.json');
  }
  const found = await objects.head(uri);
  if (found === null)
    throw invalid(uri, 'does not exist. Give the URI of the manifest.json of an earlier build');
  if (found.bytes > largestManifestBytes) {
    throw invalid(uri, `has ${found.bytes} bytes and is no manifest. Give the URI of a manifest.json`);
  }
  return (await objects.getText(uri)) ?? '';
}

function parseManifest(uri: string, text: string): DatasetManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(uri, `is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const parsed = datasetManifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(uri, `is not a dataset manifest:\n${z.prettifyError(parsed.error)}`);
}

async function verify(
  uri: string,
  file: StoredFile,
  objects: ObjectStore,
  signal: AbortSignal | undefined,
): Promise<void> {
  const body = await objects.read(file.uri);
  if (body === null) throw rejected(uri, `names ${file.uri}, which does not exist`);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    signal?.throwIfAborted();
    hash.update(chunk);
    bytes += Buffer.byteLength(chunk);
  }
  if (bytes !== file.bytes) {
    throw rejected(uri, `records ${file.bytes} bytes for ${file.uri}, which has ${bytes}`);
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== file.sha256) {
    throw rejected(uri, `records the SHA-256 ${file.sha256} for ${file.uri}, which has ${sha256}`);
  }
}

function invalid(uri: string, found: string): PermanentFailure {
  return new PermanentFailure('InvalidInput', `dataset.source.uri ${JSON.stringify(uri)} ${found}.`);
}

function rejected(uri: string, found: string): PermanentFailure {
  return new PermanentFailure(
    'DatasetRejected',
    `The manifest ${uri} ${found}. The dataset was changed after it was built: build it again from its source.`,
  );
}
