import type { Reply } from '../http/message.js';
import { element, xmlReply } from './xml.js';

const statuses = {
  AccessDenied: 403,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
} as const;

export type S3ErrorCode = keyof typeof statuses;

/** An error as S3 answers it. */
export class S3Error extends Error {
  constructor(
    readonly code: S3ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function s3ErrorReply(error: S3Error, isHead: boolean): Reply {
  const status = statuses[error.code];
  if (isHead) return { status, headers: {}, body: null };
  const details = Object.entries(error.details).map(([name, text]) => element(name, text));
  return xmlReply(
    status,
    element('Error', [element('Code', error.code), element('Message', error.message), ...details]),
  );
}
