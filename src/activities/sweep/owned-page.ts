import pMap from 'p-map';
import { watchClock } from '../../aws/response-clock.js';
import { isOwner, type TagReader } from '../../aws/tags.js';
import { toFailure } from '../../aws/to-failure.js';
import type { OwnedPage, OwnedResource } from '../../domain/sweep.js';

const tagReadsAtOnce = 4;

/** One page as a service lists it, before anybody has looked at tags. */
export interface ListedPage {
  readonly resources: readonly Omit<OwnedResource, 'tags'>[];
  readonly next: string | null;
}

/**
 * Sends one list command and keeps what carries Anneal's tags. The lists say nothing of tags, so each listed
 * resource is asked for its own.
 */
export async function listOwnedPage<Command extends object>(
  readTags: TagReader,
  command: Command,
  send: (command: Command) => Promise<ListedPage>,
  doing: string,
): Promise<OwnedPage> {
  const observedAt = watchClock(command);
  const { resources, next } = await send(command).catch((error: unknown) => {
    throw toFailure(error, doing);
  });
  const tagged = await pMap(
    resources,
    async (resource) => {
      const tags = await readTags(resource.id);
      return isOwner(tags) ? { ...resource, tags: Object.fromEntries(tags) } : null;
    },
    { concurrency: tagReadsAtOnce },
  );
  return {
    resources: tagged.filter((resource) => resource !== null),
    observedAt: observedAt(),
    next,
  };
}

/** `amazon.nova-micro-v1:0:128k` of the ARN that lists give for it. */
export function baseModelOf(arn: string | undefined): string {
  return arn?.slice(arn.lastIndexOf('/') + 1) ?? '';
}

/** Null where the price table has no price: an unknown price is no reason not to list what is paid for. */
export function priceOrNull(price: () => number): number | null {
  try {
    return price();
  } catch {
    return null;
  }
}
