import { randomUUID } from 'node:crypto';
import type { Reply, SandboxRequest } from '../http/message.js';
import { readBody } from '../http/message.js';
import type { World } from '../world.js';
import { S3Error } from './error.js';
import {
  checkKey,
  checkWriteConditions,
  findBucket,
  md5Hex,
  type ObjectAddress,
  storeBody,
  storedHeaders,
  toObject,
  unquoted,
} from './objects.js';
import type { PartRecord, UploadState } from './records.js';
import { element, elementText, elementTexts, s3Document, xmlReply } from './xml.js';

const smallestPartBytes = 5 * 1024 * 1024;

export function createMultipartUpload(world: World, address: ObjectAddress, request: SandboxRequest): Reply {
  findBucket(world, address.bucket);
  checkKey(address.key);
  const uploadId = randomUUID().replaceAll('-', '');
  const createdAt = world.now();
  const upload = {
    uploadId,
    ...address,
    contentType: request.headers['content-type'] ?? 'binary/octet-stream',
    headers: storedHeaders(request.headers),
    createdAt,
  };
  world.record({ type: 'upload.created', at: createdAt, upload });
  const content = [
    element('Bucket', address.bucket),
    element('Key', address.key),
    element('UploadId', uploadId),
  ];
  return xmlReply(200, s3Document('InitiateMultipartUploadResult', content));
}

export async function uploadPart(
  world: World,
  address: ObjectAddress,
  request: SandboxRequest,
): Promise<Reply> {
  const uploadId = request.query.get('uploadId') ?? '';
  const number = Number(request.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  findUpload(world, address, uploadId);
  const stored = await storeBody(world, request);
  const { blob, bytes, md5 } = stored;
  let upload: UploadState;
  try {
    upload = findUpload(world, address, uploadId);
  } catch (error) {
    world.blobs.remove(blob);
    throw error;
  }
  const before = upload.parts.get(number);
  const modifiedAt = world.now();
  const part: PartRecord = { number, blob, bytes, md5, modifiedAt };
  world.record({ type: 'upload.part', at: modifiedAt, uploadId, part });
  if (before) world.blobs.remove(before.blob);
  return { status: 200, headers: { etag: `"${md5}"`, 'x-amz-checksum-crc32': stored.crc32 }, body: null };
}

export async function completeMultipartUpload(
  world: World,
  address: ObjectAddress,
  request: SandboxRequest,
): Promise<Reply> {
  const uploadId = request.query.get('uploadId') ?? '';
  const xml = (await readBody(request.body, 4_000_000)).toString('utf8');
  const parts = chosenParts(findUpload(world, address, uploadId), xml);
  checkWriteConditions(findBucket(world, address.bucket), address.key, request.headers);
  const stored = await world.blobs.concatenate(parts.map((part) => part.blob));
  let upload: UploadState;
  try {
    upload = findUpload(world, address, uploadId);
    checkWriteConditions(findBucket(world, address.bucket), address.key, request.headers);
  } catch (error) {
    world.blobs.remove(stored.blob);
    throw error;
  }
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.md5, 'hex')));
  const etag = `"${md5Hex(digests)}-${parts.length}"`;
  const object = toObject(stored, etag, upload.contentType, upload.headers, world.now());
  const before = findBucket(world, address.bucket).objects.get(address.key);
  world.record({ type: 'upload.completed', at: object.modifiedAt, uploadId, object });
  for (const part of upload.parts.values()) world.blobs.remove(part.blob);
  if (before) world.blobs.remove(before.blob);
  const content = [
    element('Location', `/${address.bucket}/${address.key}`),
    element('Bucket', address.bucket),
    element('Key', address.key),
    element('ETag', etag),
  ];
  return xmlReply(200, s3Document('CompleteMultipartUploadResult', content));
}

function chosenParts(upload: UploadState, xml: string): PartRecord[] {
  const listed = elementTexts(xml, 'Part').map((part) => ({
    number: Number(elementText(part, 'PartNumber')),
    etag: unquoted(elementText(part, 'ETag') ?? ''),
  }));
  if (listed.length === 0) {
    throw new S3Error('MalformedXML', 'The XML you provided lists no parts; name each with its ETag.');
  }
  const parts = listed.map(({ number, etag }, index) => {
    if (index > 0 && number <= (listed[index - 1]?.number ?? 0)) {
      throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const part = upload.parts.get(number);
    if (!part || part.md5 !== etag) {
      throw new S3Error('InvalidPart', `Part ${number} was not uploaded, or its ETag does not match.`);
    }
    return part;
  });
  const small = parts.slice(0, -1).find((part) => part.bytes < smallestPartBytes);
  if (small) {
    throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      PartNumber: String(small.number),
    });
  }
  return parts;
}

export function abortMultipartUpload(world: World, address: ObjectAddress, request: SandboxRequest): Reply {
  const upload = findUpload(world, address, request.query.get('uploadId') ?? '');
  world.record({ type: 'upload.aborted', at: world.now(), uploadId: upload.uploadId });
  for (const part of upload.parts.values()) world.blobs.remove(part.blob);
  return { status: 204, headers: {}, body: null };
}

export function listParts(world: World, address: ObjectAddress, request: SandboxRequest): Reply {
  const upload = findUpload(world, address, request.query.get('uploadId') ?? '');
  const parts = [...upload.parts.values()].sort((one, other) => one.number - other.number);
  const after = Number(request.query.get('part-number-marker') ?? 0);
  const most = Math.min(1000, Number(request.query.get('max-parts') ?? 1000));
  const rest = parts.filter((part) => part.number > after);
  const page = rest.slice(0, most);
  const content = [
    element('Bucket', address.bucket),
    element('Key', address.key),
    element('UploadId', upload.uploadId),
    element('IsTruncated', rest.length > page.length),
    element('NextPartNumberMarker', page.at(-1)?.number ?? 0),
    element('MaxParts', most),
    ...page.map((part) =>
      element('Part', [
        element('PartNumber', part.number),
        element('LastModified', new Date(part.modifiedAt).toISOString()),
        element('ETag', `"${part.md5}"`),
        element('Size', part.bytes),
      ]),
    ),
  ];
  return xmlReply(200, s3Document('ListPartsResult', content));
}

export function listMultipartUploads(world: World, bucket: string, query: URLSearchParams): Reply {
  findBucket(world, bucket);
  const prefix = query.get('prefix') ?? '';
  const most = Math.min(1000, Number(query.get('max-uploads') ?? 1000));
  const after = { key: query.get('key-marker') ?? '', uploadId: query.get('upload-id-marker') };
  const rest = [...world.state.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix))
    .sort((one, other) =>
      one.key === other.key ? compare(one.uploadId, other.uploadId) : compare(one.key, other.key),
    )
    .filter(({ key, uploadId }) => {
      const isLaterOfSameKey = key === after.key && after.uploadId !== null && uploadId > after.uploadId;
      return key > after.key || isLaterOfSameKey;
    });
  const page = rest.slice(0, most);
  const isTruncated = rest.length > page.length;
  const last = page.at(-1);
  const content = [
    element('Bucket', bucket),
    element('Prefix', prefix),
    element('MaxUploads', most),
    element('IsTruncated', isTruncated),
    ...(isTruncated && last
      ? [element('NextKeyMarker', last.key), element('NextUploadIdMarker', last.uploadId)]
      : []),
    ...page.map((upload) =>
      element('Upload', [
        element('Key', upload.key),
        element('UploadId', upload.uploadId),
        element('Initiated', new Date(upload.createdAt).toISOString()),
        element('StorageClass', 'STANDARD'),
      ]),
    ),
  ];
  return xmlReply(200, s3Document('ListMultipartUploadsResult', content));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function findUpload(world: World, { bucket, key }: ObjectAddress, uploadId: string): UploadState {
  findBucket(world, bucket);
  const upload = world.state.uploads.get(uploadId);
  if (!upload || upload.bucket !== bucket || upload.key !== key) {
    throw new S3Error(
      'NoSuchUpload',
      'The specified upload does not exist. It may have been aborted or completed.',
      { UploadId: uploadId },
    );
  }
  return upload;
}
