import { isNotFound, toFailure } from './to-failure.js';

export interface Lookup<Output> {
  /** For messages, for instance `deployment`. */
  readonly kind: string;
  /** A name or an ARN. */
  readonly identifier: string;
  get(identifier: string): Promise<Output>;
  /** The ARN under which the list has this name. */
  findInList(name: string): Promise<string | undefined>;
}

/**
 * Gets a resource, null when there is none. What Get does not know by its name is looked for in the list as
 * well: what is believed to be gone is never deleted.
 */
export async function getOrList<Output>(lookup: Lookup<Output>): Promise<Output | null> {
  const { kind, identifier } = lookup;
  // An empty identifier would turn Get into List.
  if (identifier === '') throw new Error(`A ${kind} without a name was asked for`);
  const found = await unlessNotFound(lookup, identifier);
  if (found !== null || identifier.startsWith('arn:')) return found;
  const arn = await lookup.findInList(identifier).catch((error: unknown) => {
    throw toFailure(error, `look for ${kind} ${identifier} in the list`);
  });
  return arn === undefined ? null : unlessNotFound(lookup, arn);
}

async function unlessNotFound<Output>(
  { kind, get }: Lookup<Output>,
  identifier: string,
): Promise<Output | null> {
  try {
    return await get(identifier);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toFailure(error, `look for ${kind} ${identifier}`);
  }
}
