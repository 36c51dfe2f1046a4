import { NotSeenYet } from '../domain/failures.js';
import { requireOwnership, type TagReader } from './tags.js';
import { isNotFound, toFailure } from './to-failure.js';

/**
 * With all the client's own tries: shorter than the activity around it, and than the time after which a lease
 * looks again for what a create under way has left.
 */
const createLimitMs = 20_000;

export interface Creation {
  /** For messages, for instance `training job`. */
  readonly kind: string;
  readonly name: string;
  readonly idempotencyToken: string;
  /** Hash of everything asked for, see `hashRequest`; what was created from another is not adopted. */
  readonly requestHash: string;
  /** Asked right before the create is sent; false when another attempt may be at work, or done, by now. */
  readonly isCurrent: () => boolean;
  /** What was made a moment ago and may be unknown for a while; null where a missing thing is missing for good. */
  readonly needs: string | null;
  /** The ARN of the resource that bears this name, whoever created it; null when there is none. */
  find(): Promise<string | null>;
  /** Returns the new resource's ARN. */
  create(signal: AbortSignal): Promise<string>;
}

/**
 * Creates a paid resource at most once. What bears the name already is adopted if it was created under the
 * same token, and is a `Conflict` otherwise. After a failed create it looks again, because a request whose
 * reply was lost may have been carried out, and because names race.
 */
export async function adoptOrCreate(readTags: TagReader, creation: Creation): Promise<string> {
  const existing = await adopt(readTags, creation);
  if (existing !== null) return existing;
  if (!creation.isCurrent()) {
    throw new Error(`This attempt to create ${creation.kind} ${creation.name} was interrupted too long`);
  }
  try {
    return await creation.create(AbortSignal.timeout(createLimitMs));
  } catch (error) {
    const created = await adopt(readTags, creation);
    if (created !== null) return created;
    if ((error as Error).name === 'AbortError') {
      throw new Error(`No reply to the create of ${creation.kind} ${creation.name}`, { cause: error });
    }
    if (creation.needs && isNotFound(error)) {
      const said = `ProviderRejected: could not create ${creation.kind} ${creation.name}: ${creation.needs} is not known: ${(error as Error).message}`;
      throw new NotSeenYet('ProviderRejected', said, [{ needs: creation.needs }], { cause: error });
    }
    throw toFailure(error, `create ${creation.kind} ${creation.name}`);
  }
}

async function adopt(readTags: TagReader, creation: Creation): Promise<string | null> {
  const arn = await creation.find();
  if (arn === null) return null;
  await requireOwnership(readTags, { ...creation, arn });
  return arn;
}
