import { PermanentFailure } from '../domain/failures.js';

/** Named as the S3 client names them. */
interface S3Address {
  readonly Bucket: string;
  readonly Key: string;
}

/** The address of one object. Without a key, S3 would take the request for one about the bucket. */
export function parseObjectUri(uri: string): S3Address {
  const address = parseS3Uri(uri);
  if (address.Key === '') throw invalid(uri, 'an object, for instance s3://bucket/folder/file.jsonl');
  return address;
}

/** The address of an object or of everything below a prefix; the key may be empty. */
export function parseS3Uri(uri: string): S3Address {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(uri);
  if (!match?.[1]) {
    throw invalid(uri, 'an address in object storage, for instance s3://bucket/folder/file.jsonl');
  }
  return { Bucket: match[1], Key: match[2] ?? '' };
}

function invalid(uri: string, allowed: string): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `InvalidInput: found ${JSON.stringify(uri)}; allowed: ${allowed}`,
    [{ found: uri }],
  );
}
