import { createHash } from 'node:crypto';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply, SandboxRequest } from '../http/message.js';
import type { World } from '../world.js';
import type { StoredBlob } from './blobs.js';
import { ChunkDecoder } from './chunked.js';
import { S3Error } from './error.js';
import type { BucketRecord, ObjectRecord } from './records.js';

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** Stores bytes that the sandbox makes itself. */
export function putBytes(
  world: World,
  input: ObjectAddress & {
    readonly bytes: Uint8Array;
    readonly contentType: string;
    readonly at: number;
  },
): void {
  const stored = world.blobs.writeSync(input.bytes);
  const object = toObject(stored, `"${stored.md5}"`, input.contentType, {}, input.at);
  replaceObject(world, input, object);
}

export async function putObject(
  world: World,
  address: ObjectAddress,
  request: SandboxRequest,
): Promise<Reply> {
  checkKey(address.key);
  checkWriteConditions(findBucket(world, address.bucket), address.key, request.headers);
  const stored = await storeBody(world, request);
  try {
    // Again, with no pause before the commit: of two writers with If-None-Match, one wins.
    checkWriteConditions(findBucket(world, address.bucket), address.key, request.headers);
  } catch (error) {
    world.blobs.remove(stored.blob);
    throw error;
  }
  const object = toObject(
    stored,
    `"${stored.md5}"`,
    request.headers['content-type'] ?? 'binary/octet-stream',
    storedHeaders(request.headers),
    world.now(),
  );
  replaceObject(world, address, object);
  return { status: 200, headers: { etag: object.etag, 'x-amz-checksum-crc32': stored.crc32 }, body: null };
}

export function toObject(
  stored: StoredBlob,
  etag: string,
  contentType: string,
  headers: Readonly<Record<string, string>>,
  modifiedAt: number,
): ObjectRecord {
  const { blob, bytes, crc32 } = stored;
  return { blob, bytes, etag, crc32, contentType, headers, modifiedAt };
}

function replaceObject(world: World, { bucket, key }: ObjectAddress, object: ObjectRecord): void {
  const before = findBucket(world, bucket).objects.get(key);
  world.record({ type: 'object.put', at: object.modifiedAt, bucket, key, object });
  if (before) world.blobs.remove(before.blob);
}

/** Reads a request's body to the disk, decoding `aws-chunked`, and checks length and checksums. */
export async function storeBody(world: World, request: SandboxRequest): Promise<StoredBlob> {
  const { headers } = request;
  const isChunked =
    (headers['content-encoding'] ?? '').includes('aws-chunked') ||
    (headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
  const decoder = isChunked ? new ChunkDecoder() : null;
  const body = decoder ?? new PassThrough();
  const [stored] = await Promise.all([world.blobs.write(body), pipeline(request.body, body)]);
  try {
    checkBody(stored, headers, decoder?.trailers ?? {});
  } catch (error) {
    world.blobs.remove(stored.blob);
    throw error;
  }
  return stored;
}

function checkBody(
  stored: StoredBlob,
  headers: Readonly<Record<string, string>>,
  trailers: Readonly<Record<string, string>>,
): void {
  const length = headers['x-amz-decoded-content-length'] ?? headers['content-length'];
  if (length !== undefined && Number(length) !== stored.bytes) {
    throw new S3Error('IncompleteBody', `The request announced ${length} bytes and sent ${stored.bytes}.`);
  }
  const crc32 = trailers['x-amz-checksum-crc32'] ?? headers['x-amz-checksum-crc32'];
  if (crc32 !== undefined && crc32 !== stored.crc32) {
    throw new S3Error('BadDigest', `The CRC32 you specified, ${crc32}, is not ${stored.crc32}.`);
  }
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== Buffer.from(stored.md5, 'hex').toString('base64')) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified is not that of the body.');
  }
}

export function checkWriteConditions(
  bucket: BucketRecord,
  key: string,
  headers: Readonly<Record<string, string>>,
): void {
  const object = bucket.objects.get(key);
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined && noneMatch !== '*') {
    throw new S3Error('NotImplemented', "If-None-Match of a write allows only '*'.");
  }
  if (noneMatch === '*' && object) throw preconditionFailed('If-None-Match');
  const match = headers['if-match'];
  if (match === undefined) return;
  if (!object) throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key });
  if (match !== '*' && unquoted(match) !== unquoted(object.etag)) throw preconditionFailed('If-Match');
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  });
}

/** GetObject and HeadObject. */
export function getObject(world: World, { bucket, key }: ObjectAddress, request: SandboxRequest): Reply {
  const object = findBucket(world, bucket).objects.get(key);
  if (!object) throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: key });
  const isUnchanged = checkReadConditions(object, request.headers);
  const range = isUnchanged ? null : parseRange(request.headers.range, object.bytes);
  const headers: Record<string, string> = {
    'content-type': object.contentType,
    etag: object.etag,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    ...object.headers,
    ...overrides(request.query),
  };
  if (isUnchanged) return { status: 304, headers, body: null };
  const start = range?.start ?? 0;
  const end = range?.end ?? object.bytes - 1;
  headers['content-length'] = String(end - start + 1);
  if (range) headers['content-range'] = `bytes ${start}-${end}/${object.bytes}`;
  else if (
    request.headers['x-amz-checksum-mode'] === 'ENABLED' &&
    object.crc32 &&
    !object.etag.includes('-')
  ) {
    headers['x-amz-checksum-crc32'] = object.crc32;
  }
  const body: Readable | null = request.method === 'HEAD' ? null : world.blobs.read(object.blob, start, end);
  return { status: range ? 206 : 200, headers, body };
}

/** True when the caller has the object already (304). */
function checkReadConditions(object: ObjectRecord, headers: Readonly<Record<string, string>>): boolean {
  const match = headers['if-match'];
  if (match !== undefined && match !== '*' && unquoted(match) !== unquoted(object.etag)) {
    throw preconditionFailed('If-Match');
  }
  const noneMatch = headers['if-none-match'];
  return noneMatch !== undefined && (noneMatch === '*' || unquoted(noneMatch) === unquoted(object.etag));
}

function parseRange(text: string | undefined, bytes: number): { start: number; end: number } | null {
  const match = text?.match(/^bytes=(\d*)-(\d*)$/);
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const isSuffix = match[1] === '';
  const start = isSuffix ? Math.max(0, bytes - Number(match[2])) : Number(match[1]);
  const end = isSuffix || match[2] === '' ? bytes - 1 : Math.min(Number(match[2]), bytes - 1);
  if (start >= bytes || (isSuffix && Number(match[2]) === 0)) {
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      RangeRequested: text ?? '',
      ActualObjectSize: String(bytes),
    });
  }
  // A range whose end lies before its start is no range at all, and the whole object is answered.
  return end < start ? null : { start, end };
}

const responseHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];

/** Headers that S3 keeps with an object and gives back. */
export function storedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-meta-') && !responseHeaders.includes(name)) continue;
    const text = name === 'content-encoding' ? withoutChunked(value) : value;
    if (text !== '') kept[name] = text;
  }
  return kept;
}

function withoutChunked(encoding: string): string {
  return encoding
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== 'aws-chunked')
    .join(',');
}

function overrides(query: URLSearchParams): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ['content-type', ...responseHeaders]) {
    const value = query.get(`response-${name}`);
    if (value !== null) found[name] = value;
  }
  return found;
}

export function deleteObject(world: World, { bucket, key }: ObjectAddress): void {
  const object = findBucket(world, bucket).objects.get(key);
  if (!object) return;
  world.record({ type: 'object.deleted', at: world.now(), bucket, key });
  world.blobs.remove(object.blob);
}

export function findBucket(world: World, name: string): BucketRecord {
  const bucket = world.state.buckets.get(name);
  if (!bucket) throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
  return bucket;
}

export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > 1024) throw new S3Error('KeyTooLongError', 'Your key is too long');
}

export function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

export function unquoted(etag: string): string {
  return etag.replace(/^"|"$/g, '');
}
