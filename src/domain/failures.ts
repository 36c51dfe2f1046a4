/**
 * The stable names of everything that can go wrong, as they appear as failure types in the Web UI, in
 * `temporal workflow describe` and in scripts. Renaming one is a breaking change.
 */
export const failureTypes = [
  'InvalidInput',
  'DatasetRejected',
  'BudgetExceeded',
  'ProviderRejected',
  'TrainingFailed',
  'ConversionFailed',
  'DeploymentFailed',
  'ValidationFailed',
  'Conflict',
  'TeardownIncomplete',
] as const;

export type FailureType = (typeof failureTypes)[number];

/**
 * A failure that retrying cannot mend. Thrown by domain code, ports and activities alike; the worker turns
 * it into a non-retryable `ApplicationFailure` of the same type (see `workers/failure-interceptor.ts`).
 *
 * `details` are shown to people and scripts: what was found, where, and what to do.
 */
export class PermanentFailure extends Error {
  constructor(
    readonly type: FailureType,
    message: string,
    readonly details: readonly unknown[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = type;
  }
}
