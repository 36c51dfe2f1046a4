import { type FailureType, Obstacle, type ObstacleKind, PermanentFailure } from '../domain/failures.js';

/** What an SDK client throws for an answer of the service; network errors have no `$fault`. */
interface ServiceError extends Error {
  readonly $fault?: 'client' | 'server';
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

/** Errors that the same request will meet again, whenever it is sent. */
const permanentErrors: Readonly<Record<string, FailureType>> = {
  ValidationException: 'ProviderRejected',
  ResourceNotFoundException: 'ProviderRejected',
  ResourceNotFound: 'ProviderRejected',
  NoSuchBucket: 'ProviderRejected',
  PermanentRedirect: 'ProviderRejected',
  TooManyTagsException: 'ProviderRejected',
};

/** Errors that time or a person mends, whatever has been bought until then. */
const obstacles: Readonly<Record<string, ObstacleKind>> = {
  ServiceQuotaExceededException: 'quota',
  ResourceLimitExceeded: 'quota',
  LimitExceededException: 'quota',
  CapacityError: 'capacity',
  InsufficientCapacityException: 'capacity',
  ThrottlingException: 'throttling',
  Throttling: 'throttling',
  TooManyRequestsException: 'throttling',
  SlowDown: 'throttling',
  AccessDeniedException: 'permission',
  AccessDenied: 'permission',
  ExpiredTokenException: 'credentials',
  ExpiredToken: 'credentials',
  CredentialsProviderError: 'credentials',
  UnrecognizedClientException: 'credentials',
  InvalidClientTokenId: 'credentials',
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
};

const remedies: Readonly<Record<string, string>> = {
  quota: 'It goes on by itself once some of the quota is free, or raised under Service Quotas.',
  capacity: 'It goes on by itself once the provider has capacity.',
  throttling: 'It goes on by itself, more slowly.',
  permission: 'Grant the caller this permission; it goes on by itself then.',
  credentials: 'Renew the credentials of the worker; it goes on by itself then.',
  TooManyTagsException: 'Remove tags of your own from the resource; 50 are allowed.',
  PermanentRedirect: 'The bucket lies in another region: set ANNEAL_AWS_REGION to that region.',
};

/**
 * Turns an SDK error into what is to be thrown: a `PermanentFailure` where trying again cannot help, an
 * `Obstacle` where it will once something is mended, else an error of the same name that says what was being
 * done. Cancellation and failures of ours pass through unchanged.
 *
 * `doing` completes "could not …", for instance `start training job stylist-t1`.
 */
export function toFailure(error: unknown, doing: string): unknown {
  if (!(error instanceof Error) || isFailure(error) || isAbort(error)) return error;
  const { name, message, $metadata } = error as ServiceError;
  const requestId = $metadata?.requestId ? ` (request ${$metadata.requestId})` : '';
  const said = `could not ${doing}: ${name}${message ? `: ${message}` : ''}${requestId}`;
  const cause = { cause: error };
  const kind = obstacleOf(error);
  if (kind) return new Obstacle(kind, `${said}. ${remedies[kind]}`, cause);
  const type = permanentErrors[name];
  if (type) {
    const remedy = remedies[name];
    const details = {
      code: name,
      doing,
      requestId: $metadata?.requestId ?? null,
      status: $metadata?.httpStatusCode ?? null,
    };
    return new PermanentFailure(type, `${type}: ${said}${remedy ? `. ${remedy}` : ''}`, [details], cause);
  }
  const retryable = new Error(said, cause);
  retryable.name = name;
  return retryable;
}

/** Some limits come as a `ValidationException` and are told by their words only. */
function obstacleOf({ name, message }: Error): ObstacleKind | null {
  if (/insufficient capacity|unable to provision requested/i.test(message)) return 'capacity';
  if (/\bquotas?\b|\bmodel units reserved\b/i.test(message)) return 'quota';
  return obstacles[name] ?? null;
}

function isFailure(error: Error): boolean {
  return error instanceof PermanentFailure || error instanceof Obstacle;
}

/** The resource does not exist; HeadObject and HeadBucket can only say so by their status. */
export function isNotFound(error: unknown): boolean {
  return ['ResourceNotFoundException', 'NotFound', 'NoSuchKey'].includes((error as Error)?.name);
}

export function isConflict(error: unknown): boolean {
  return (error as Error)?.name === 'ConflictException';
}

function isAbort(error: Error): boolean {
  return error.name === 'AbortError';
}
