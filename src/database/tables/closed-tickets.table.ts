import type { Generated } from 'kysely';

/** What was given back, and is not bought again. */
export interface ClosedTicketsTable {
  /** Name of the resource. */
  ticket: string;
  /** Who gave it back: mostly its lease. */
  workflow_id: string;
  run_id: string;
  closed_at: Generated<Date>;
}
