import { PermanentFailure } from '../../domain/failures.js';
import type { ObjectStore } from './object-store.js';
import { inNameOrder, layoutOf, type SourceFile } from './source-file.js';

const objectUri = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/s;
const prefixUri = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?$/s;

/** Opens one object. */
export async function openStoredFile(uri: string, objects: ObjectStore): Promise<SourceFile> {
  if (!objectUri.test(uri)) throw unusable(uri, 'is not of the form s3://bucket/key', 'Name bucket and key.');
  if (uri.endsWith('/')) {
    throw unusable(uri, 'names a prefix', 'For all objects below it, write "kind": "folder".');
  }
  const found = await objects.head(uri);
  if (found === null) {
    throw unusable(uri, 'does not exist', 'Upload the file, or correct bucket and key.');
  }
  if (found.bytes === 0) throw unusable(uri, 'is empty', 'Give a file with one JSON object a line.');
  return toSourceFile(uri, uri.slice(uri.lastIndexOf('/') + 1), objects);
}

/** Opens every `.json` and `.jsonl` object below a prefix, in order of key. */
export async function openStoredFolder(uri: string, objects: ObjectStore): Promise<SourceFile[]> {
  if (!prefixUri.test(uri)) {
    throw unusable(uri, 'is not of the form s3://bucket/prefix/', 'Name bucket and prefix.');
  }
  const prefix = `${uri.replace(/\/+$/, '')}/`;
  const uris = (await objects.list(prefix)).filter((found) => layoutOf(found) !== null);
  if (uris.length === 0) {
    throw unusable(
      uri,
      'has no .json or .jsonl object below it',
      'Upload the files, or correct bucket and prefix; for a single object, write "kind": "file".',
    );
  }
  return uris.sort(inNameOrder).map((found) => toSourceFile(found, found.slice(prefix.length), objects));
}

function toSourceFile(uri: string, label: string, objects: ObjectStore): SourceFile {
  return { name: uri, label, layout: layoutOf(label) ?? 'lines', open: () => chunksOf(uri, objects) };
}

async function* chunksOf(uri: string, objects: ObjectStore): AsyncIterable<Uint8Array> {
  const body = await objects.read(uri);
  if (body === null) throw unusable(uri, 'was deleted while it was read', 'Upload it again.');
  for await (const chunk of body) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

function unusable(uri: string, found: string, remedy: string): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `dataset.source.path ${JSON.stringify(uri)} ${found}. ${remedy}`,
  );
}
