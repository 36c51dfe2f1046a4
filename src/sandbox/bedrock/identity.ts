import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/json.js';
import {
  AwsError,
  conflictError,
  notFoundError,
  undeclaredConflictError,
  validationError,
} from '../api/error.js';
import type { World } from '../world.js';

/** Twelve lower-case letters and digits, as Bedrock's ARNs end; the same for the same history. */
export function newIdentifier(kind: string, name: string, ordinal: number): string {
  const hash = createHash('sha256').update(`${kind}/${name}/${ordinal}`).digest('hex');
  return BigInt(`0x${hash}`).toString(36).padStart(12, '0').slice(-12);
}

/** A hash of a request without its token, to recognise the same request again. */
export function fingerprintOf(input: { readonly clientRequestToken?: string | undefined }): string {
  const { clientRequestToken: _, ...rest } = input;
  return createHash('sha256').update(canonicalJson(rest)).digest('hex');
}

interface Created {
  readonly token: string | null;
  readonly fingerprint: string;
  readonly createdAt: number;
  readonly deletedAt?: number | null;
}

/** The resource that was created with this token before; null for a new token. */
export function findByToken<Resource extends Created>(
  world: World,
  resources: Iterable<Resource>,
  token: string | undefined,
  fingerprint: string,
): Resource | null {
  if (!token) return null;
  const { readings } = world.settings;
  const forgottenBefore =
    readings.tokenMemoryMinutes === null ? 0 : world.now() - readings.tokenMemoryMinutes * 60_000;
  for (const resource of resources) {
    if (resource.token !== token || resource.createdAt < forgottenBefore) continue;
    const isDeleted = typeof resource.deletedAt === 'number';
    if (isDeleted && readings.tokenOfDeletedResource === 'new-resource') continue;
    if (resource.fingerprint !== fingerprint && readings.tokenWithOtherParameters === 'validation-error') {
      throw validationError(`The clientRequestToken ${token} was used before with other parameters.`);
    }
    return resource;
  }
  return null;
}

/** A full quota in the words of the operation, as the error that the readings choose; see assumption 31. */
export function quotaError(world: World, message: string): AwsError {
  switch (world.settings.readings.quotaError) {
    case 'service-quota-exceeded':
      return new AwsError('ServiceQuotaExceededException', message);
    case 'validation-error':
      return validationError(message);
    case 'throttling':
      return new AwsError('ThrottlingException', message);
    case 'limit-exceeded':
      return new AwsError('LimitExceededException', message, {}, 400);
  }
}

/** A taken name of a deployment or throughput: their operations declare no conflict; see assumption 5. */
export function takenNameError(world: World, message: string): AwsError {
  return world.settings.readings.takenName === 'conflict'
    ? undeclaredConflictError(message)
    : validationError(message);
}

/** Refuses to show by Get what was created a moment ago; see assumption 33. */
export function assertSeen(world: World, createdAt: number, message: string): void {
  if (world.now() < createdAt + world.settings.readings.getLagMinutes * 60_000) throw notFoundError(message);
}

interface Serving {
  readonly name: string;
  readonly readyAt: number;
  readonly change: { readonly doneAt: number } | null;
}

export function isBusy({ readyAt, change }: Serving, now: number): boolean {
  return now < readyAt || (change !== null && now < change.doneAt);
}

/** Refuses an update during creation or another update, unless the readings let it replace that; see 15. */
export function assertUpdatable(world: World, served: Serving): void {
  if (!isBusy(served, world.now())) return;
  const { updateWhileBusy } = world.settings.readings;
  if (updateWhileBusy === 'replaces') return;
  const message = `${served.name} is being created or updated, not InService or Active; try again later.`;
  throw updateWhileBusy === 'conflict' ? undeclaredConflictError(message) : validationError(message);
}

/** Refuses to delete what is being deleted already and, as a reading has it, what is busy; see 13 and 34. */
export function assertDeletable(world: World, served: Serving & { readonly deletedAt: number | null }): void {
  if (served.deletedAt !== null) throw conflictError(`${served.name} is being deleted already.`);
  if (world.settings.readings.deleteWhileBusy === 'conflict' && isBusy(served, world.now())) {
    throw conflictError(`${served.name} is being created or updated and cannot be deleted yet.`);
  }
}
