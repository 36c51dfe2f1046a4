import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseObjectUri, parseS3Uri } from '../../src/aws/s3-uri.js';
import { cleanTagText, toAwsTags, toClientRequestToken } from '../../src/aws/tags.js';
import { toFailure } from '../../src/aws/to-failure.js';
import { Obstacle, PermanentFailure } from '../../src/domain/failures.js';

function serviceError(name: string, message = 'because') {
  return Object.assign(new Error(message), {
    name,
    $fault: 'client',
    $metadata: { httpStatusCode: 400, requestId: 'r-1' },
  });
}

describe('an error of AWS', () => {
  test.each(['ValidationException', 'ResourceNotFoundException', 'TooManyTagsException'])(
    '%s is for good, and says what was tried and under which request',
    (name) => {
      const failure = toFailure(serviceError(name), 'start job x');
      expect(failure).toBeInstanceOf(PermanentFailure);
      expect(failure).toMatchObject({
        type: 'ProviderRejected',
        message: expect.stringMatching(
          new RegExp(`^ProviderRejected: could not start job x: ${name}: because \\(request r-1\\)`),
        ),
        details: [{ code: name, doing: 'start job x', requestId: 'r-1', status: 400 }],
      });
    },
  );

  test.each([
    ['ServiceQuotaExceededException', 'quota'],
    ['ResourceLimitExceeded', 'quota'],
    ['ThrottlingException', 'throttling'],
    ['SlowDown', 'throttling'],
    ['AccessDeniedException', 'permission'],
    ['AccessDenied', 'permission'],
    ['ExpiredTokenException', 'credentials'],
    ['UnrecognizedClientException', 'credentials'],
  ])('%s is an obstacle that somebody mends: %s', (name, kind) => {
    const failure = toFailure(serviceError(name), 'start job x');
    expect(failure).toBeInstanceOf(Obstacle);
    expect(failure).toMatchObject({
      kind,
      message: expect.stringMatching(
        new RegExp(`^could not start job x: ${name}: because \\(request r-1\\)\\. .*goes on by itself`),
      ),
    });
  });

  test('a lack of capacity is told by its words where it has no code of its own', () => {
    const failure = toFailure(serviceError('ValidationException', 'Insufficient capacity for 8 units'), 'x');
    expect(failure).toMatchObject({ kind: 'capacity' });
  });

  test.each([
    'ConflictException',
    'InternalServerException',
    'ServiceUnavailableException',
    'ModelNotReadyException',
    'ModelTimeoutException',
    'TimeoutError',
    'SomethingNew',
  ])('%s may be tried again, under its own name', (name) => {
    const cause = serviceError(name);
    const failure = toFailure(cause, 'start job x');
    expect(failure).not.toBeInstanceOf(PermanentFailure);
    expect(failure).toMatchObject({ name, cause, message: expect.stringContaining('could not start job x') });
  });

  test('cancellation and failures that are ours already pass through as they are', () => {
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' });
    const conflict = new PermanentFailure('Conflict', 'Conflict: taken');
    expect(toFailure(abort, 'x')).toBe(abort);
    expect(toFailure(conflict, 'x')).toBe(conflict);
  });
});

describe('what AWS is given', () => {
  const identity = { idempotencyToken: 'token-1', requestHash: '0123456789abcdef' };
  const tokenPattern = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,254}[a-zA-Z0-9])?$/;

  test('tokens always fit its pattern, and different ones stay different', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
        expect(toClientRequestToken(a)).toMatch(tokenPattern);
        expect(toClientRequestToken(a) === toClientRequestToken(b)).toBe(a === b);
      }),
    );
    expect(toClientRequestToken('abc123-training-1')).toBe('abc123-training-1');
  });

  test('tags hold only characters that it takes, and always name owner and token', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: 'binary' })), (tags) => {
        for (const { key = '', value = '' } of toAwsTags(tags, identity)) {
          expect(key + value).toMatch(/^[a-zA-Z0-9\s._:/=+@-]*$/);
          expect(value.length).toBeLessThanOrEqual(256);
        }
      }),
    );
    expect(cleanTagText('fine-tune/stylist é', 256)).toBe('fine-tune/stylist -');
    expect(toAwsTags({ 'anneal:workflow': 'w' }, identity)).toEqual([
      { key: 'anneal:owner', value: 'anneal' },
      { key: 'anneal:workflow', value: 'w' },
      { key: 'anneal:token', value: 'token-1' },
      { key: 'anneal:request', value: '0123456789abcdef' },
    ]);
  });

  test('addresses of objects name bucket and key', () => {
    expect(parseObjectUri('s3://anneal/models/a b.jsonl')).toEqual({
      Bucket: 'anneal',
      Key: 'models/a b.jsonl',
    });
    expect(parseS3Uri('s3://anneal')).toEqual({ Bucket: 'anneal', Key: '' });
    for (const wrong of ['anneal/models', 'file:///x', 's3://', 's3://Anneal/x', 'S3://anneal/x']) {
      expect(() => parseS3Uri(wrong)).toThrow(/^InvalidInput: found .*; allowed: an address/);
    }
    // Without its key, a request about an object would become one about the bucket.
    for (const bucketOnly of ['s3://anneal', 's3://anneal/']) {
      expect(() => parseObjectUri(bucketOnly)).toThrow(/allowed: an object/);
    }
  });
});
