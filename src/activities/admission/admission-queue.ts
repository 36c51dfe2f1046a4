import type { Author } from '../registry/registry.js';

/**
 * Who is next where a provider has less room than is asked for. One queue per provider, kind of resource and
 * base model, shared by every worker: only the first in line asks the provider, so that a full quota is met by
 * one request at a time and is given out in the order of asking.
 */
export interface AdmissionQueue {
  /** How many others are before `ticket`; all of them while it has no place yet. Renews its place. */
  ahead(queue: string, ticket: string): Promise<number>;
  /** Takes a place at the end, or keeps the one it has. */
  join(queue: string, ticket: string): Promise<void>;
  /** Gives the place up. Fine when it had none. */
  leave(ticket: string): Promise<void>;
  /** Gives the place up for good: what the ticket is for is being given back, and nobody may buy it again. */
  close(author: Author, ticket: string): Promise<void>;
  /** When it was closed; null where it is open. */
  closedAt(ticket: string): Promise<Date | null>;
}
