import { validationError } from '../api/error.js';

interface ListInput {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
  readonly sortOrder?: string | undefined;
}

interface Listed {
  readonly name: string;
  readonly createdAt: number;
}

/** What every list can be narrowed by. Times arrive as ISO 8601 text. */
export interface ListFilter {
  readonly nameContains?: string | undefined;
  readonly after?: unknown;
  readonly before?: unknown;
}

const standardPage = 100;

/**
 * Sorts by creation, newest first unless asked otherwise, and cuts a page. A page's token names the last
 * item it held, so that a list that grows in between repeats nothing and leaves nothing old out.
 */
export function listPage<Item extends Listed>(
  items: Iterable<Item>,
  filter: ListFilter,
  input: ListInput,
): { page: Item[]; nextToken: string | undefined } {
  const ascending = input.sortOrder === 'Ascending';
  const sorted = [...items]
    .filter((item) => matches(item, filter))
    .sort((one, other) => (ascending ? compare(one, other) : compare(other, one)));
  const last = input.nextToken ? decodeToken(input.nextToken) : null;
  const start = last
    ? sorted.findIndex((item) => (ascending ? compare(item, last) : compare(last, item)) > 0)
    : 0;
  if (start < 0) return { page: [], nextToken: undefined };
  const page = sorted.slice(start, start + (input.maxResults ?? standardPage));
  const end = page.at(-1);
  const more = start + page.length < sorted.length;
  return { page, nextToken: more && end ? encodeToken(end) : undefined };
}

function matches(item: Listed, filter: ListFilter): boolean {
  if (filter.nameContains && !item.name.includes(filter.nameContains)) return false;
  if (typeof filter.after === 'string' && item.createdAt <= Date.parse(filter.after)) return false;
  if (typeof filter.before === 'string' && item.createdAt >= Date.parse(filter.before)) return false;
  return true;
}

function compare(one: Listed, other: Listed): number {
  if (one.createdAt !== other.createdAt) return one.createdAt - other.createdAt;
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}

function encodeToken(item: Listed): string {
  return Buffer.from(JSON.stringify([item.createdAt, item.name])).toString('base64url');
}

function decodeToken(token: string): Listed {
  try {
    const [createdAt, name] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as [
      number,
      string,
    ];
    if (typeof createdAt === 'number' && typeof name === 'string') return { createdAt, name };
  } catch {
    // Falls through to the one error for any token that is not ours.
  }
  throw validationError(`The nextToken '${token.slice(0, 40)}' is not one that a list gave out.`);
}
