import type { Generated } from 'kysely';
import type { UsdColumn } from './budgets.table.js';

/** Costs that are booked apart from a run's own: what a leased resource came to, a commitment's whole term. */
export interface SpendTable {
  /** The natural key: the first booking of a key is the one that counts. */
  key: string;
  model: string;
  schedule_id: string | null;
  what: string;
  usd: UsdColumn;
  at: Date;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
}
