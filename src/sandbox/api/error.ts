/** Errors that the operations of Bedrock and SageMaker declare in AWS's model, and two that any AWS front door gives. */
export type AwsErrorName =
  | 'AccessDeniedException'
  | 'ConflictException'
  | 'InternalServerException'
  | 'LimitExceededException'
  | 'ModelErrorException'
  | 'ModelNotReadyException'
  | 'ResourceInUse'
  | 'ResourceLimitExceeded'
  | 'ResourceNotFound'
  | 'ResourceNotFoundException'
  | 'ServiceQuotaExceededException'
  | 'ServiceUnavailableException'
  | 'ThrottlingException'
  | 'TooManyTagsException'
  | 'UnknownOperationException'
  | 'ValidationException';

/** An error as AWS answers it; the status comes from AWS's model. */
export class AwsError extends Error {
  constructor(
    override readonly name: AwsErrorName,
    message: string,
    /** Further members of the error's body, for instance `resourceName`. */
    readonly members: Readonly<Record<string, unknown>> = {},
    /** The HTTP status where the operation does not declare this error, and a reading has it anyway. */
    readonly undeclaredStatus: number | null = null,
  ) {
    super(message);
  }
}

export function validationError(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

export function notFoundError(message: string): AwsError {
  return new AwsError('ResourceNotFoundException', message);
}

export function conflictError(message: string): AwsError {
  return new AwsError('ConflictException', message);
}

/** A conflict that the operation's model does not declare; see assumptions 5 and 15. */
export function undeclaredConflictError(message: string): AwsError {
  return new AwsError('ConflictException', message, {}, 400);
}
