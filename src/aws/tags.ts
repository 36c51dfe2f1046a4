import { createHash } from 'node:crypto';
import { type BedrockClient, ListTagsForResourceCommand } from '@aws-sdk/client-bedrock';
import { PermanentFailure } from '../domain/failures.js';
import { canonicalJson } from '../domain/json.js';
import { toFailure } from './to-failure.js';

const ownerKey = 'anneal:owner';
const tokenKey = 'anneal:token';
const requestKey = 'anneal:request';

/** What a create is recognised by afterwards. */
export interface RequestIdentity {
  readonly idempotencyToken: string;
  readonly requestHash: string;
}

/** Reads the tags of a resource by its ARN; null when the resource has gone in the meantime. */
export type TagReader = (arn: string) => Promise<ReadonlyMap<string, string> | null>;

/** The tags that AWS is given: values cleaned of what AWS refuses, token and hash of the request added. */
export function toAwsTags(
  tags: Readonly<Record<string, string>>,
  { idempotencyToken, requestHash }: RequestIdentity,
): { readonly key: string; readonly value: string }[] {
  const own = {
    [ownerKey]: 'anneal',
    ...tags,
    [tokenKey]: toClientRequestToken(idempotencyToken),
    [requestKey]: requestHash,
  };
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

/** Sixteen hexadecimal digits that differ when anything asked for differs. */
export function hashRequest(request: unknown): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex').slice(0, 16);
}

/** Whether Anneal created a resource; whatever else bears its name is left alone. */
export async function isOurs(readTags: TagReader, arn: string): Promise<boolean> {
  const tags = await readTags(arn);
  // It was seen a moment ago: without an answer about its tags it is not taken for somebody else's.
  if (tags === null) throw new Error(`The tags of ${arn} are not to be seen`);
  return isOwner(tags);
}

export function isOwner(tags: ReadonlyMap<string, string> | null): tags is ReadonlyMap<string, string> {
  return tags?.get(ownerKey) === 'anneal';
}

/** Throws `Conflict` unless a resource was created under this very token, from this very request. */
export async function requireOwnership(
  readTags: TagReader,
  resource: RequestIdentity & { readonly kind: string; readonly name: string; readonly arn: string },
): Promise<void> {
  const { kind, name, arn } = resource;
  const tags = await readTags(arn);
  if (tags === null) throw new Error(`The ${kind} "${name}" vanished while it was looked at`);
  const isOfThisRun = tags.get(tokenKey) === toClientRequestToken(resource.idempotencyToken);
  if (isOfThisRun && tags.get(requestKey) === resource.requestHash) return;
  const owner = tags.get('anneal:workflow');
  const why = isOfThisRun
    ? 'was created by this run with other settings, so it was reset after its recipe or data were changed. Start a new run'
    : `${owner ? `belongs to workflow ${owner}` : 'was not created by Anneal'} (${arn}). Delete it if nobody needs it, or run under another model name`;
  throw new PermanentFailure('Conflict', `Conflict: the ${kind} "${name}" exists already and ${why}.`, [
    { kind, name, arn, owner: owner ?? null },
  ]);
}

export function bedrockTagReader(bedrock: BedrockClient): TagReader {
  return async (arn) => {
    try {
      const { tags = [] } = await bedrock.send(new ListTagsForResourceCommand({ resourceARN: arn }));
      return new Map(tags.map(({ key, value }) => [key ?? '', value ?? '']));
    } catch (error) {
      if ((error as Error).name === 'ResourceNotFoundException') return null;
      throw toFailure(error, `read the tags of ${arn}`);
    }
  };
}
