import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { putBytes } from '../storage/objects.js';
import type { ObjectRecord } from '../storage/records.js';
import type { World } from '../world.js';
import type { TrainingJobRecord } from './records.js';

export interface Address {
  readonly bucket: string;
  readonly key: string;
}

export function parseS3Uri(uri: string): Address {
  const [bucket = '', ...rest] = uri.replace(/^(s3|https):\/\//, '').split('/');
  return { bucket, key: rest.join('/') };
}

/** The objects below a prefix by what follows the prefix's last slash, as a channel shows them. */
export function objectsBelow(world: World, uri: string): Map<string, ObjectRecord> {
  const { bucket, key: prefix } = parseS3Uri(uri);
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const objects = world.state.buckets.get(bucket)?.objects ?? new Map<string, ObjectRecord>();
  return new Map(
    [...objects]
      .filter(([key]) => key.startsWith(prefix) && !key.endsWith('/'))
      .map(([key, object]) => [key.slice(folder.length), object]),
  );
}

export function artifactUri(job: TrainingJobRecord): string {
  const path = job.request.OutputDataConfig?.S3OutputPath?.replace(/\/$/, '') ?? '';
  return `${path}/${job.name}/output/model.tar.gz`;
}

/** Stores `model.tar.gz`; false where its bucket is gone. */
export async function storeArtifact(
  world: World,
  job: TrainingJobRecord,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<boolean> {
  const archive = pack();
  const packed = buffer(archive);
  for (const [name, content] of files) {
    archive.entry({ name, mode: 0o644, mtime: new Date(0) }, Buffer.from(content));
  }
  archive.finalize();
  return storeFile(world, artifactUri(job), gzipSync(await packed));
}

export function storeFile(world: World, uri: string, bytes: Uint8Array): boolean {
  const address = parseS3Uri(uri);
  if (!world.state.buckets.has(address.bucket)) return false;
  putBytes(world, { ...address, bytes, contentType: 'binary/octet-stream', at: world.now() });
  return true;
}
