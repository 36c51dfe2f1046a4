import type { Generated } from 'kysely';

/** Who waits for room at a provider, in the order of `position`. */
export interface AdmissionTicketsTable {
  position: Generated<string>;
  queue: string;
  /** Name of the resource that is to be created. */
  ticket: string;
  joined_at: Generated<Date>;
  /** When its run last looked. */
  seen_at: Generated<Date>;
}
