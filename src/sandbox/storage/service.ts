import { BodyTooLarge, type Reply, type SandboxRequest } from '../http/message.js';
import type { World } from '../world.js';
import {
  createBucket,
  deleteBucket,
  deleteObjects,
  getBucketLocation,
  headBucket,
  listBuckets,
  listObjects,
} from './buckets.js';
import { S3Error, s3ErrorReply } from './error.js';
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  listMultipartUploads,
  listParts,
  uploadPart,
} from './multipart.js';
import { deleteObject, getObject, putObject } from './objects.js';

/** What an S3 request asks for, with its operation's name. */
export interface S3Call {
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
}

/** Names the operation of a path-style request; sub-resources that the sandbox lacks are `NotImplemented`. */
export function identifyS3Call(request: SandboxRequest): S3Call {
  const [, rawBucket = '', ...rest] = request.rawPath.split('/');
  const bucket = decodeURIComponent(rawBucket);
  const key = decodeURIComponent(rest.join('/'));
  return { operation: s3Operation(request, bucket, key) ?? 'NotImplemented', bucket, key };
}

function s3Operation({ method, query, headers }: SandboxRequest, bucket: string, key: string): string | null {
  const has = (name: string) => query.has(name);
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : null;
  const unknown = ['acl', 'tagging', 'policy', 'lifecycle', 'versioning', 'versions', 'cors', 'notification'];
  if (unknown.some(has)) return null;
  if (key === '') {
    if (method === 'PUT') return 'CreateBucket';
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'DELETE') return 'DeleteBucket';
    if (method === 'POST') return has('delete') ? 'DeleteObjects' : null;
    if (method !== 'GET') return null;
    if (has('location')) return 'GetBucketLocation';
    return has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  }
  if (method === 'GET') return has('uploadId') ? 'ListParts' : 'GetObject';
  if (method === 'HEAD') return 'HeadObject';
  if (method === 'DELETE') return has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  if (method === 'POST' && has('uploads')) return 'CreateMultipartUpload';
  if (method === 'POST' && has('uploadId')) return 'CompleteMultipartUpload';
  // A copy has no body: taking it for a put would leave an empty object.
  if (method !== 'PUT' || headers['x-amz-copy-source'] !== undefined) return null;
  return has('uploadId') ? 'UploadPart' : 'PutObject';
}

export async function performS3Call(
  world: World,
  call: S3Call,
  request: SandboxRequest,
  region: string,
): Promise<Reply> {
  try {
    return await perform(world, call, request, region);
  } catch (error) {
    if (error instanceof S3Error) return s3ErrorReply(error, request.method === 'HEAD');
    if (error instanceof BodyTooLarge) {
      return s3ErrorReply(new S3Error('InvalidRequest', error.message), request.method === 'HEAD');
    }
    throw error;
  }
}

async function perform(world: World, call: S3Call, request: SandboxRequest, region: string): Promise<Reply> {
  const { bucket } = call;
  switch (call.operation) {
    case 'ListBuckets':
      return listBuckets(world);
    case 'CreateBucket':
      return createBucket(world, bucket, request, region);
    case 'HeadBucket':
      return headBucket(world, bucket);
    case 'DeleteBucket':
      return deleteBucket(world, bucket);
    case 'GetBucketLocation':
      return getBucketLocation(world, bucket);
    case 'ListObjectsV2':
      return listObjects(world, bucket, request.query);
    case 'DeleteObjects':
      return deleteObjects(world, bucket, request);
    case 'ListMultipartUploads':
      return listMultipartUploads(world, bucket, request.query);
    case 'PutObject':
      return putObject(world, call, request);
    case 'GetObject':
    case 'HeadObject':
      return getObject(world, call, request);
    case 'DeleteObject':
      deleteObject(world, call);
      return { status: 204, headers: {}, body: null };
    case 'CreateMultipartUpload':
      return createMultipartUpload(world, call, request);
    case 'UploadPart':
      return uploadPart(world, call, request);
    case 'CompleteMultipartUpload':
      return completeMultipartUpload(world, call, request);
    case 'AbortMultipartUpload':
      return abortMultipartUpload(world, call, request);
    case 'ListParts':
      return listParts(world, call, request);
    default:
      throw new S3Error('NotImplemented', 'The sandbox does not implement this part of S3.');
  }
}
