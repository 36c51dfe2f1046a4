import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/json.js';
import { validationError } from '../api/error.js';
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
  for (const resource of resources) {
    if (resource.token !== token) continue;
    const isDeleted = typeof resource.deletedAt === 'number';
    if (isDeleted && readings.tokenOfDeletedResource === 'new-resource') continue;
    if (resource.fingerprint !== fingerprint && readings.tokenWithOtherParameters === 'validation-error') {
      throw validationError(`The clientRequestToken ${token} was used before with other parameters.`);
    }
    return resource;
  }
  return null;
}
