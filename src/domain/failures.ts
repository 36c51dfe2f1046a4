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

/**
 * A provider does not know what a request needs. Soon after that was made the answer may be late, so whoever
 * knows when it was made may try again; later it is a permanent failure like any other.
 */
export class NotSeenYet extends PermanentFailure {}

/** What stands in the way of a request that is right in itself. */
export type ObstacleKind = 'quota' | 'capacity' | 'throttling' | 'permission' | 'credentials';

/**
 * A request that cannot be carried out now, and can be once time passes or somebody mends it: a full quota,
 * no capacity, too many calls, a permission that is missing, credentials that have expired. Never a reason to
 * give up something paid: creates queue (`activities/admission`), everything else looks again at a slow pace.
 */
export class Obstacle extends Error {
  constructor(
    readonly kind: ObstacleKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = obstacleNames[kind];
  }
}

/** As people see them under Pending Activities. */
const obstacleNames: Readonly<Record<ObstacleKind, string>> = {
  quota: 'WaitingForQuota',
  capacity: 'WaitingForCapacity',
  throttling: 'WaitingForThrottling',
  permission: 'WaitingForPermission',
  credentials: 'WaitingForCredentials',
};
