import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { watchClock } from '../../aws/response-clock.js';
import { parseObjectUri, parseS3Uri } from '../../aws/s3-uri.js';
import { isNotFound, toFailure } from '../../aws/to-failure.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ObjectInventory, ObjectPage, ObjectStore, UnfinishedUpload } from './object-store.js';

export interface S3ObjectStoreOptions {
  readonly s3: S3Client;
  readonly bucket: string;
}

/** S3 takes at most 10,000 parts of at least 5 MiB each. */
const smallestPartBytes = 8 * 1024 * 1024;
const partsLimit = 10_000;

/** Objects in S3. Reads any bucket that the credentials may read. */
export function createS3ObjectStore({ s3, bucket }: S3ObjectStoreOptions): ObjectStore & ObjectInventory {
  return {
    bucket,
    ensureBucket: () => ensureBucket(s3, bucket),

    async put(uri, body, contentType) {
      const object = parseObjectUri(uri);
      await s3
        .send(new PutObjectCommand({ ...object, Body: toBytes(body), ContentType: contentType }))
        .catch(failing(`write ${uri}`));
    },

    async putIfAbsent(uri, body, contentType) {
      const object = parseObjectUri(uri);
      try {
        await s3.send(
          new PutObjectCommand({
            ...object,
            Body: toBytes(body),
            ContentType: contentType,
            IfNoneMatch: '*',
          }),
        );
        return true;
      } catch (error) {
        if ((error as Error).name === 'PreconditionFailed') return false;
        throw toFailure(error, `write ${uri}`);
      }
    },

    putFile: (uri, path, contentType) => putFile(s3, uri, path, contentType),

    async getText(uri) {
      const body = await read(s3, uri);
      return body === null ? null : await text(body, uri);
    },

    read: (uri) => read(s3, uri),

    async head(uri) {
      try {
        const { ContentLength } = await s3.send(new HeadObjectCommand(parseObjectUri(uri)));
        return { bytes: ContentLength ?? 0 };
      } catch (error) {
        if (isNotFound(error)) return null;
        throw toFailure(error, `look for ${uri}`);
      }
    },

    list: (prefixUri) => list(s3, prefixUri),

    async delete(uri) {
      await s3.send(new DeleteObjectCommand(parseObjectUri(uri))).catch((error: unknown) => {
        if (!isNotFound(error) && (error as Error).name !== 'NoSuchBucket') {
          throw toFailure(error, `delete ${uri}`);
        }
      });
    },

    listPage: (prefixUri, after) => listPage(s3, prefixUri, after),

    listUploads: (prefixUri) => listUploads(s3, prefixUri),

    async abortUpload({ uri, uploadId }) {
      const command = new AbortMultipartUploadCommand({ ...parseObjectUri(uri), UploadId: uploadId });
      await s3.send(command).catch((error: unknown) => {
        if ((error as Error).name !== 'NoSuchUpload') throw toFailure(error, `give up the upload of ${uri}`);
      });
    },
  };
}

async function ensureBucket(s3: S3Client, bucket: string): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!isNotFound(error)) throw bucketFailure(error, bucket);
    await createBucket(s3, bucket);
  }
}

async function createBucket(s3: S3Client, bucket: string): Promise<void> {
  const region = await s3.config.region();
  // us-east-1 is the one region that must not be named.
  const CreateBucketConfiguration =
    region === 'us-east-1' ? undefined : { LocationConstraint: region as BucketLocationConstraint };
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
  } catch (error) {
    if ((error as Error).name === 'BucketAlreadyOwnedByYou') return;
    throw bucketFailure(error, bucket);
  }
}

/** Bucket names are shared by all of AWS; HeadBucket answers 403 without a name for somebody else's. */
function bucketFailure(error: unknown, bucket: string): unknown {
  const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  if (name === 'BucketAlreadyExists' || $metadata?.httpStatusCode === 403) {
    return new PermanentFailure(
      'Conflict',
      `Conflict: the bucket "${bucket}" belongs to somebody else, or these credentials may not use it. Name another one in ANNEAL_BUCKET.`,
      [{ bucket }],
      { cause: error },
    );
  }
  return toFailure(error, `use bucket ${bucket}`);
}

async function putFile(s3: S3Client, uri: string, path: string, contentType?: string): Promise<void> {
  const object = parseObjectUri(uri);
  const { size } = await stat(path);
  const upload = new Upload({
    client: s3,
    params: { ...object, Body: createReadStream(path), ContentType: contentType },
    partSize: Math.max(smallestPartBytes, Math.ceil(size / partsLimit)),
  });
  await upload.done().catch(failing(`upload ${path} to ${uri}`));
}

async function read(s3: S3Client, uri: string): Promise<Readable | null> {
  try {
    const { Body } = await s3.send(new GetObjectCommand(parseObjectUri(uri)));
    return Body as Readable;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toFailure(error, `read ${uri}`);
  }
}

/** The client mistakes an empty text for a stream of unknown length. */
function toBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

async function text(body: Readable, uri: string): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (error) {
    throw toFailure(error, `read ${uri} to its end`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function list(s3: S3Client, prefixUri: string): Promise<string[]> {
  const { Bucket, Key } = parseS3Uri(prefixUri);
  const uris: string[] = [];
  try {
    const pages = paginateListObjectsV2({ client: s3, stopOnSameToken: true }, { Bucket, Prefix: Key });
    for await (const { Contents = [] } of pages) {
      for (const { Key: key } of Contents) uris.push(`s3://${Bucket}/${key}`);
    }
  } catch (error) {
    throw toFailure(error, `list ${prefixUri}`);
  }
  return uris;
}

async function listPage(s3: S3Client, prefixUri: string, after: string | null): Promise<ObjectPage> {
  const { Bucket, Key } = parseS3Uri(prefixUri);
  const StartAfter = after === null ? undefined : parseS3Uri(after).Key;
  const command = new ListObjectsV2Command({ Bucket, Prefix: Key, StartAfter });
  const observedAt = watchClock(command);
  const { Contents = [], IsTruncated } = await s3.send(command).catch(failing(`list ${prefixUri}`));
  const objects = Contents.map(({ Key: key, Size, LastModified }) => ({
    uri: `s3://${Bucket}/${key}`,
    bytes: Size ?? 0,
    modifiedAt: (LastModified ?? new Date()).toISOString(),
  }));
  return { objects, observedAt: observedAt(), isLast: !IsTruncated };
}

async function listUploads(
  s3: S3Client,
  prefixUri: string,
): Promise<{ uploads: UnfinishedUpload[]; observedAt: string }> {
  const { Bucket, Key: Prefix } = parseS3Uri(prefixUri);
  const uploads: UnfinishedUpload[] = [];
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const command = new ListMultipartUploadsCommand({ Bucket, Prefix, ...marker });
    const observedAt = watchClock(command);
    const page = await s3.send(command).catch(failing(`list the uploads below ${prefixUri}`));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (!Key || !UploadId || !Initiated) continue;
      uploads.push({ uri: `s3://${Bucket}/${Key}`, uploadId: UploadId, startedAt: Initiated.toISOString() });
    }
    if (!page.IsTruncated) return { uploads, observedAt: observedAt() };
    marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

function failing(doing: string): (error: unknown) => never {
  return (error) => {
    throw toFailure(error, doing);
  };
}
