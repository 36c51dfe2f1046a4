import { type Reply, readBody, type SandboxRequest } from '../http/message.js';
import type { World } from '../world.js';
import { S3Error } from './error.js';
import { deleteObject, findBucket } from './objects.js';
import { element, elementText, elementTexts, s3Document, type Xml, xmlReply } from './xml.js';

export function listBuckets(world: World): Reply {
  const buckets = [...world.state.buckets.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map((bucket) =>
      element('Bucket', [
        element('Name', bucket.name),
        element('CreationDate', new Date(bucket.createdAt).toISOString()),
      ]),
    );
  const owner = element('Owner', [element('ID', world.settings.accountId)]);
  return xmlReply(200, s3Document('ListAllMyBucketsResult', [owner, element('Buckets', buckets)]));
}

export async function createBucket(
  world: World,
  bucket: string,
  request: SandboxRequest,
  region: string,
): Promise<Reply> {
  const xml = (await readBody(request.body, 100_000)).toString('utf8');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: bucket });
  }
  const existing = world.state.buckets.get(bucket);
  const location = elementText(xml, 'LocationConstraint') ?? region;
  if (!existing) {
    world.record({ type: 'bucket.created', at: world.now(), bucket, region: location });
  } else if (location !== 'us-east-1') {
    // In us-east-1 alone, creating one's own bucket again is no error.
    throw new S3Error('BucketAlreadyOwnedByYou', 'Your previous request to create it succeeded.', {
      BucketName: bucket,
    });
  }
  return { status: 200, headers: { location: `/${bucket}` }, body: null };
}

export function headBucket(world: World, bucket: string): Reply {
  const { region } = findBucket(world, bucket);
  return { status: 200, headers: { 'x-amz-bucket-region': region }, body: null };
}

export function getBucketLocation(world: World, bucket: string): Reply {
  const { region } = findBucket(world, bucket);
  return xmlReply(200, element('LocationConstraint', region === 'us-east-1' ? '' : region));
}

export function deleteBucket(world: World, bucket: string): Reply {
  if (findBucket(world, bucket).objects.size > 0) {
    throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty', {
      BucketName: bucket,
    });
  }
  world.record({ type: 'bucket.deleted', at: world.now(), bucket });
  return { status: 204, headers: {}, body: null };
}

export async function deleteObjects(world: World, bucket: string, request: SandboxRequest): Promise<Reply> {
  findBucket(world, bucket);
  const xml = (await readBody(request.body, 4_000_000)).toString('utf8');
  const keys = elementTexts(xml, 'Object').map((object) => elementText(object, 'Key') ?? '');
  if (keys.length === 0 || keys.length > 1000) {
    throw new S3Error(
      'MalformedXML',
      `The XML you provided names ${keys.length} objects; allowed are 1 to 1000.`,
    );
  }
  for (const key of keys) deleteObject(world, { bucket, key });
  const isQuiet = elementText(xml, 'Quiet') === 'true';
  const deleted = isQuiet ? [] : keys.map((key) => element('Deleted', [element('Key', key)]));
  return xmlReply(200, s3Document('DeleteResult', deleted));
}

export function listObjects(world: World, name: string, query: URLSearchParams): Reply {
  const bucket = findBucket(world, name);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const most = Math.min(1000, Number(query.get('max-keys') ?? 1000));
  if (!Number.isInteger(most) || most < 0) {
    throw new S3Error('InvalidArgument', 'max-keys must be a whole number from 0');
  }
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : decodeToken(token);
  const encode = query.get('encoding-type') === 'url' ? encodeKey : (key: string) => key;
  const rows = toRows([...bucket.objects.keys()], prefix, delimiter).filter(
    (row) => compareKeys(row.last, after) > 0,
  );
  const page = rows.slice(0, most);
  const isTruncated = rows.length > page.length && most > 0;
  const last = page.at(-1);
  const content: Xml[] = [
    element('Name', name),
    element('Prefix', encode(prefix)),
    element('KeyCount', page.length),
    element('MaxKeys', most),
    element('IsTruncated', isTruncated),
  ];
  if (delimiter) content.push(element('Delimiter', encode(delimiter)));
  if (query.has('encoding-type')) content.push(element('EncodingType', 'url'));
  if (token !== null) content.push(element('ContinuationToken', token));
  if (isTruncated && last) content.push(element('NextContinuationToken', encodeToken(last.last)));
  for (const row of page) {
    const object = bucket.objects.get(row.name);
    content.push(
      row.isPrefix || !object
        ? element('CommonPrefixes', [element('Prefix', encode(row.name))])
        : element('Contents', [
            element('Key', encode(row.name)),
            element('LastModified', new Date(object.modifiedAt).toISOString()),
            element('ETag', object.etag),
            element('Size', object.bytes),
            element('StorageClass', 'STANDARD'),
          ]),
    );
  }
  return xmlReply(200, s3Document('ListBucketResult', content));
}

interface Row {
  readonly name: string;
  readonly isPrefix: boolean;
  /** The last key it stands for: where the next page begins after. */
  readonly last: string;
}

function toRows(keys: readonly string[], prefix: string, delimiter: string): Row[] {
  const rows = new Map<string, Row>();
  for (const key of keys.filter((each) => each.startsWith(prefix)).sort(compareKeys)) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const name = end < 0 ? key : key.slice(0, end + delimiter.length);
    rows.set(name, { name, isPrefix: end >= 0, last: key });
  }
  return [...rows.values()];
}

/** S3 orders keys by their UTF-8 bytes. */
function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%2F', '/');
}

function encodeToken(key: string): string {
  return Buffer.from(key).toString('base64');
}

function decodeToken(token: string): string {
  const key = Buffer.from(token, 'base64').toString('utf8');
  if (encodeToken(key) !== token) {
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
  }
  return key;
}
