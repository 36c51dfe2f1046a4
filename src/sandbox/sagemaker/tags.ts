import type { AddTagsCommandInput, ListTagsCommandInput, Tag } from '@aws-sdk/client-sagemaker';
import { validationError } from '../api/error.js';
import type { Tags } from '../bedrock/records.js';
import { findTagged } from '../state.js';
import type { World } from '../world.js';

const mostTags = 50;

export function toTags(tags: readonly Tag[] | undefined): Tags {
  return limited(Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])));
}

export function addTags(world: World, input: AddTagsCommandInput) {
  const arn = input.ResourceArn ?? '';
  const tags = limited({ ...tagged(world, arn), ...toTags(input.Tags) });
  world.record({ type: 'tags.set', at: world.now(), arn, tags });
  return { Tags: toList(tags) };
}

export function listTags(world: World, input: ListTagsCommandInput) {
  return { Tags: toList(tagged(world, input.ResourceArn ?? '')) };
}

function toList(tags: Tags) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

function tagged(world: World, arn: string): Tags {
  const resource = findTagged(world.state, arn, world.now());
  if (!resource) throw validationError(`The resource ${arn} does not exist.`);
  return resource.tags;
}

function limited(tags: Tags): Tags {
  const count = Object.keys(tags).length;
  if (count > mostTags) throw validationError(`There would be ${count} tags; allowed are ${mostTags}.`);
  return tags;
}
