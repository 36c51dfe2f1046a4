import type { Generated } from 'kysely';
import type { UsdColumn } from './budgets.table.js';

export type ReservationState = 'reserved' | 'settled' | 'released';

/** One row per run: what it may spend while it runs, what it has spent once it has ended. */
export interface BudgetReservationsTable {
  workflow_id: string;
  /** The first execution's run ID, the same after a reset. */
  run_id: string;
  /** The execution that reserved last: another one after a reset. */
  execution_run_id: string;
  model: string;
  /** The schedule that started the run; null where none did. */
  schedule_id: string | null;
  estimate_usd: UsdColumn;
  spent_usd: UsdColumn;
  state: ReservationState;
  /** Who let it pass a budget; null where it was within all of them. */
  approved_by: string | null;
  created_at: Generated<Date>;
  /** When the run's spend was booked; null while it runs. */
  settled_at: Date | null;
}
