import { createHash } from 'node:crypto';
import { type BedrockClient, ListTagsForResourceCommand, type Tag } from '@aws-sdk/client-bedrock';
import { PermanentFailure } from '../domain/failures.js';
import { toFailure } from './to-failure.js';

const ownerKey = 'anneal:owner';
const tokenKey = 'anneal:token';

/** The tags that AWS is given: values cleaned of what AWS refuses, the token added. */
export function toBedrockTags(tags: Readonly<Record<string, string>>, idempotencyToken: string): Tag[] {
  const own = { [ownerKey]: 'anneal', ...tags, [tokenKey]: toClientRequestToken(idempotencyToken) };
  return Object.entries(own).map(([key, value]) => ({
    key: cleanTagText(key, 128),
    value: cleanTagText(value, 256),
  }));
}

/** AWS allows letters, digits, white space and `._:/=+@-` in tags; anything else becomes a dash. */
export function cleanTagText(text: string, limit: number): string {
  return text.replace(/[^a-zA-Z0-9\s._:/=+@-]/g, '-').slice(0, limit);
}

/** A token as Bedrock takes it. One that it would refuse is hashed, so that different tokens stay different. */
export function toClientRequestToken(idempotencyToken: string): string {
  if (/^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,254}[a-zA-Z0-9])?$/.test(idempotencyToken)) return idempotencyToken;
  return createHash('sha256').update(idempotencyToken).digest('hex');
}

/** Whether Anneal created a resource; whatever else bears its name is left alone. */
export async function isOurs(bedrock: BedrockClient, arn: string): Promise<boolean> {
  return (await readTags(bedrock, arn))?.get(ownerKey) === 'anneal';
}

/** Throws `Conflict` unless a resource was created under this very token. */
export async function requireOwnership(
  bedrock: BedrockClient,
  resource: { readonly kind: string; readonly name: string; readonly arn: string },
  idempotencyToken: string,
): Promise<void> {
  const tags = await readTags(bedrock, resource.arn);
  if (tags === null)
    throw new Error(`The ${resource.kind} "${resource.name}" vanished while it was looked at`);
  if (tags.get(tokenKey) === toClientRequestToken(idempotencyToken)) return;
  const owner = tags.get('anneal:workflow');
  throw new PermanentFailure(
    'Conflict',
    `Conflict: the ${resource.kind} "${resource.name}" exists already and ${owner ? `belongs to workflow ${owner}` : 'was not created by Anneal'} (${resource.arn}). Delete it if nobody needs it, or run under another model name.`,
    [{ kind: resource.kind, name: resource.name, arn: resource.arn, owner: owner ?? null }],
  );
}

/** Null when the resource has gone in the meantime. */
async function readTags(bedrock: BedrockClient, arn: string): Promise<Map<string, string> | null> {
  try {
    const { tags = [] } = await bedrock.send(new ListTagsForResourceCommand({ resourceARN: arn }));
    return new Map(tags.map(({ key, value }) => [key ?? '', value ?? '']));
  } catch (error) {
    if ((error as Error).name === 'ResourceNotFoundException') return null;
    throw toFailure(error, `read the tags of ${arn}`);
  }
}
