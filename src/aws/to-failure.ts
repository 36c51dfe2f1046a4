import { type FailureType, PermanentFailure } from '../domain/failures.js';

/** What an SDK client throws for an answer of the service; network errors have no `$fault`. */
interface ServiceError extends Error {
  readonly $fault?: 'client' | 'server';
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

/**
 * Errors that the same request will meet again, whenever it is sent. Not among them: `ConflictException`
 * (something else is going on with the resource), throttling, a model that is not ready, expired
 * credentials, server errors and everything about the network.
 */
const permanentErrors: Readonly<Record<string, FailureType>> = {
  ValidationException: 'ProviderRejected',
  AccessDeniedException: 'ProviderRejected',
  AccessDenied: 'ProviderRejected',
  ResourceNotFoundException: 'ProviderRejected',
  NoSuchBucket: 'ProviderRejected',
  PermanentRedirect: 'ProviderRejected',
  TooManyTagsException: 'ProviderRejected',
  ServiceQuotaExceededException: 'ProviderRejected',
  UnrecognizedClientException: 'ProviderRejected',
  InvalidClientTokenId: 'ProviderRejected',
  InvalidAccessKeyId: 'ProviderRejected',
  SignatureDoesNotMatch: 'ProviderRejected',
};

const remedies: Readonly<Record<string, string>> = {
  AccessDeniedException: 'Grant the caller this permission.',
  AccessDenied: 'Grant the caller this permission.',
  ServiceQuotaExceededException: 'Free some of the quota, or have it raised under Service Quotas.',
  TooManyTagsException: 'Remove tags of your own from the resource; 50 are allowed.',
  UnrecognizedClientException: 'Check the credentials.',
  InvalidClientTokenId: 'Check the credentials.',
  InvalidAccessKeyId: 'Check the credentials.',
  SignatureDoesNotMatch: 'Check the credentials.',
  PermanentRedirect: 'The bucket lies in another region: set ANNEAL_AWS_REGION to that region.',
};

/**
 * Turns an SDK error into what is to be thrown: a `PermanentFailure` where trying again cannot help, else an
 * error of the same name that says what was being done. Cancellation and failures pass through unchanged.
 *
 * `doing` completes "could not …", for instance `start training job stylist-t1`.
 */
export function toFailure(error: unknown, doing: string): unknown {
  if (!(error instanceof Error) || error instanceof PermanentFailure || isAbort(error)) return error;
  const { name, message, $metadata } = error as ServiceError;
  const requestId = $metadata?.requestId ? ` (request ${$metadata.requestId})` : '';
  const said = `could not ${doing}: ${name}${message ? `: ${message}` : ''}${requestId}`;
  const type = permanentErrors[name];
  if (type) {
    const remedy = remedies[name];
    return new PermanentFailure(
      type,
      `${type}: ${said}${remedy ? `. ${remedy}` : ''}`,
      [
        {
          code: name,
          doing,
          requestId: $metadata?.requestId ?? null,
          status: $metadata?.httpStatusCode ?? null,
        },
      ],
      { cause: error },
    );
  }
  const retryable = new Error(said, { cause: error });
  retryable.name = name;
  return retryable;
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
