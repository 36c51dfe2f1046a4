import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errorOf, openSandbox, type TestSandbox } from './sandbox.js';

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

const Bucket = 'data';
const put = (Key: string, Body: string | Buffer, options: object = {}) =>
  sandbox.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...options }));
const get = (Key: string, options: object = {}) =>
  sandbox.s3.send(new GetObjectCommand({ Bucket, Key, ...options }));
const bytesOf = async (Key: string) =>
  Buffer.from((await (await get(Key)).Body?.transformToByteArray()) ?? []);

it('keeps any bytes under any key, with type and metadata', async () => {
  const key = fc
    .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    .filter((text) => !/^[./]|\/\.{1,2}(\/|$)|\/\/|[\uD800-\uDFFF]|\\/u.test(text) && text.trim() === text);
  await fc.assert(
    fc.asyncProperty(key, fc.uint8Array({ maxLength: 70_000 }), async (name, bytes) => {
      const Key = `any/${name}`;
      await put(Key, Buffer.from(bytes), { ContentType: 'text/plain', Metadata: { origin: 'test' } });
      const object = await get(Key);
      expect(object).toMatchObject({ ContentType: 'text/plain', Metadata: { origin: 'test' } });
      expect(Buffer.from((await object.Body?.transformToByteArray()) ?? [])).toEqual(Buffer.from(bytes));
      const listed = await sandbox.s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
      expect(listed.Contents?.map((each) => each.Key)).toContain(Key);
    }),
    { numRuns: 40 },
  );
});

it('decodes a stream that the client sends in chunks with a trailing checksum', async () => {
  const bytes = randomBytes(3_000_000);
  const Body = Readable.from([bytes.subarray(0, 1_234_567), bytes.subarray(1_234_567)]);
  await sandbox.s3.send(new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: bytes.length }));
  const object = await sandbox.s3.send(new HeadObjectCommand({ Bucket, Key: 'stream' }));
  expect(object.ContentLength).toBe(bytes.length);
  expect(object.ContentEncoding).toBeUndefined();
  expect(object.ETag).toBe(`"${createHash('md5').update(bytes).digest('hex')}"`);
  expect((await bytesOf('stream')).equals(bytes)).toBe(true);
});

it('refuses bytes whose checksum is wrong and keeps what was there', async () => {
  await put('checked', 'before');
  const error = await errorOf(put('checked', 'after', { ChecksumCRC32: 'AAAAAA==' }));
  expect(error).toMatchObject({ name: 'BadDigest', status: 400 });
  expect((await bytesOf('checked')).toString()).toBe('before');
});

it('writes only where nothing is when asked to, also for two writers at once', async () => {
  const writes = ['one', 'two', 'three'].map((body) => put('once', body, { IfNoneMatch: '*' }));
  const results = await Promise.allSettled(writes);
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect(await errorOf(put('once', 'four', { IfNoneMatch: '*' }))).toMatchObject({
    name: 'PreconditionFailed',
    status: 412,
  });
});

it('reads ranges and only the version that was asked for', async () => {
  const { ETag } = await put('range', '0123456789');
  const part = await get('range', { Range: 'bytes=2-4', IfMatch: ETag });
  expect(part).toMatchObject({ ContentRange: 'bytes 2-4/10', ContentLength: 3 });
  expect(await part.Body?.transformToString()).toBe('234');
  expect(await (await get('range', { Range: 'bytes=-3' })).Body?.transformToString()).toBe('789');
  expect(await (await get('range', { Range: 'bytes=7-' })).Body?.transformToString()).toBe('789');
  expect(await errorOf(get('range', { Range: 'bytes=10-' }))).toMatchObject({
    name: 'InvalidRange',
    status: 416,
  });
  expect(await errorOf(get('range', { IfMatch: '"other"' }))).toMatchObject({
    name: 'PreconditionFailed',
    status: 412,
  });
  expect(await errorOf(get('range', { IfNoneMatch: ETag }))).toMatchObject({ status: 304 });
});

it('says what is missing', async () => {
  expect(await errorOf(get('missing'))).toMatchObject({ name: 'NoSuchKey', status: 404 });
  const head = new HeadObjectCommand({ Bucket, Key: 'missing' });
  expect(await errorOf(sandbox.s3.send(head))).toMatchObject({ name: 'NotFound', status: 404 });
  const other = new GetObjectCommand({ Bucket: 'missing', Key: 'a' });
  expect(await errorOf(sandbox.s3.send(other))).toMatchObject({ name: 'NoSuchBucket', status: 404 });
  const bucket = new HeadBucketCommand({ Bucket: 'missing' });
  expect(await errorOf(sandbox.s3.send(bucket))).toMatchObject({ status: 404 });
  await sandbox.s3.send(new DeleteObjectCommand({ Bucket, Key: 'missing' }));
});

it('uploads in parts that arrive in any order, with the ETag of a multipart upload', async () => {
  const bytes = randomBytes(12_000_000);
  const upload = new Upload({
    client: sandbox.s3,
    params: { Bucket, Key: 'big', Body: Readable.from([bytes]), ContentType: 'text/csv' },
  });
  const { ETag } = await upload.done();
  expect(ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
  expect((await bytesOf('big')).equals(bytes)).toBe(true);
  expect((await get('big', { Range: 'bytes=0-0' })).ContentType).toBe('text/csv');

  const again = new Upload({
    client: sandbox.s3,
    params: { Bucket, Key: 'big', Body: Readable.from([bytes]), IfNoneMatch: '*' },
  });
  expect(await errorOf(again.done())).toMatchObject({ name: 'PreconditionFailed', status: 412 });
});

it('checks the parts of an upload, and forgets an aborted one', async () => {
  const Key = 'parts';
  const { UploadId } = await sandbox.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const part = async (PartNumber: number, bytes: number) => {
    const Body = Buffer.alloc(bytes, PartNumber);
    const { ETag } = await sandbox.s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
    );
    return { PartNumber, ETag };
  };
  const complete = (Parts: { PartNumber: number; ETag?: string | undefined }[]) =>
    sandbox.s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
  const second = await part(2, 10);
  const first = await part(1, 5 * 1024 * 1024);
  const small = await part(3, 10);
  expect(await errorOf(complete([second, first]))).toMatchObject({ name: 'InvalidPartOrder' });
  expect(await errorOf(complete([{ ...first, ETag: '"0"' }]))).toMatchObject({ name: 'InvalidPart' });
  expect(await errorOf(complete([first, second, small]))).toMatchObject({ name: 'EntityTooSmall' });
  const { Parts } = await sandbox.s3.send(new ListPartsCommand({ Bucket, Key, UploadId }));
  expect(Parts?.map((each) => each.PartNumber)).toEqual([1, 2, 3]);
  await sandbox.s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  expect(await errorOf(complete([first]))).toMatchObject({ name: 'NoSuchUpload', status: 404 });
  expect(await errorOf(get(Key))).toMatchObject({ name: 'NoSuchKey' });
});

it('lists in order of bytes, in pages, by prefix and by folder', async () => {
  const keys = ['l/a', 'l/a/1', 'l/a/2', 'l/b', 'l/é', 'l/z/1/2', 'l/~', 'l/&<>"'];
  await Promise.all(keys.map((key) => put(key, key)));
  const sorted = [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const listed: string[] = [];
  for await (const page of paginateListObjectsV2(
    { client: sandbox.s3, pageSize: 3 },
    { Bucket, Prefix: 'l/' },
  )) {
    listed.push(...(page.Contents ?? []).map((object) => object.Key ?? ''));
  }
  expect(listed).toEqual(sorted);
  const folders: string[] = [];
  const input = { Bucket, Prefix: 'l/', Delimiter: '/' };
  for await (const page of paginateListObjectsV2({ client: sandbox.s3, pageSize: 2 }, input)) {
    folders.push(...(page.CommonPrefixes ?? []).map((each) => each.Prefix ?? ''));
  }
  expect(folders).toEqual(['l/a/', 'l/z/']);
  const after = await sandbox.s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'l/', StartAfter: 'l/b' }));
  expect(after.Contents?.map((object) => object.Key)).toEqual(['l/z/1/2', 'l/~', 'l/é']);
});

it('creates, lists and deletes buckets, and deletes objects in bulk', async () => {
  const bucket = { Bucket: 'second-bucket' };
  await sandbox.s3.send(new CreateBucketCommand(bucket));
  await sandbox.s3.send(new CreateBucketCommand(bucket));
  await sandbox.s3.send(new PutObjectCommand({ ...bucket, Key: 'a&b', Body: '' }));
  const { Buckets } = await sandbox.s3.send(new ListBucketsCommand({}));
  expect(Buckets?.map((each) => each.Name)).toEqual(['data', 'second-bucket']);
  expect(await errorOf(sandbox.s3.send(new DeleteBucketCommand(bucket)))).toMatchObject({
    name: 'BucketNotEmpty',
    status: 409,
  });
  const { Deleted } = await sandbox.s3.send(
    new DeleteObjectsCommand({ ...bucket, Delete: { Objects: [{ Key: 'a&b' }, { Key: 'never' }] } }),
  );
  expect(Deleted?.map((each) => each.Key)).toEqual(['a&b', 'never']);
  await sandbox.s3.send(new DeleteBucketCommand(bucket));
  const invalid = new CreateBucketCommand({ Bucket: 'Not_A_Bucket' });
  expect(await errorOf(sandbox.s3.send(invalid))).toMatchObject({ name: 'InvalidBucketName' });
});

it('does not take a copy for an empty object', async () => {
  const response = await fetch(`${sandbox.endpoint}/data/copy`, {
    method: 'PUT',
    headers: { 'x-amz-copy-source': 'data/stream' },
  });
  expect(response.status).toBe(501);
  expect(await errorOf(get('copy'))).toMatchObject({ name: 'NoSuchKey' });
});

it('shows an object to a browser that has no credentials', async () => {
  await put('reports/1/report.html', '<h1>Report</h1>', { ContentType: 'text/html; charset=utf-8' });
  const response = await fetch(`${sandbox.endpoint}/data/reports/1/report.html`);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('x-anneal-sandbox')).toBe('simulated');
  expect(await text(response.body as unknown as Readable)).toBe('<h1>Report</h1>');
});
