import type {
  ListTagsForResourceCommandInput,
  Tag,
  TagResourceCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-bedrock';
import { AwsError, notFoundError } from '../api/error.js';
import { findTagged } from '../state.js';
import type { World } from '../world.js';
import { findModelInTraining } from './custom-models.js';
import type { Tags } from './records.js';

const mostTags = 50;

/** Tags as the sandbox stores them; more than 50 are refused, although the shape admits 200. */
export function toTags(tags: readonly Tag[] | undefined, resourceName: string): Tags {
  const entries = (tags ?? []).map((tag) => [tag.key ?? '', tag.value ?? ''] as const);
  return limited(Object.fromEntries(entries), resourceName);
}

export function tagResource(world: World, input: TagResourceCommandInput) {
  const arn = input.resourceARN ?? '';
  const tags = limited({ ...tagged(world, arn), ...toTags(input.tags, arn) }, arn);
  world.record({ type: 'tags.set', at: world.now(), arn, tags });
  return {};
}

export function untagResource(world: World, input: UntagResourceCommandInput) {
  const arn = input.resourceARN ?? '';
  const tags = Object.fromEntries(
    Object.entries(tagged(world, arn)).filter(([key]) => !input.tagKeys?.includes(key)),
  );
  world.record({ type: 'tags.set', at: world.now(), arn, tags });
  return {};
}

export function listTagsForResource(world: World, input: ListTagsForResourceCommandInput) {
  const tags = tagged(world, input.resourceARN ?? '');
  return { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

function tagged(world: World, arn: string): Tags {
  const resource = findTagged(world.state, arn, world.now()) ?? findModelInTraining(world, arn);
  if (!resource) throw notFoundError(`There is no resource ${arn}.`);
  return resource.tags;
}

function limited(tags: Tags, resourceName: string): Tags {
  const count = Object.keys(tags).length;
  if (count <= mostTags) return tags;
  const members = resourceName.startsWith('arn:') ? { resourceName } : {};
  throw new AwsError(
    'TooManyTagsException',
    `${resourceName} would have ${count} tags; allowed are ${mostTags}.`,
    members,
  );
}
