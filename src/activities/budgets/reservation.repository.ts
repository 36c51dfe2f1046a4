import { sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import { roundUsd } from '../../domain/money.js';
import type { Author } from '../registry/registry.js';
import type { ReservationRequest, Settlement } from './budgets.js';

export interface ReservationRow {
  readonly executionRunId: string;
  readonly isOpen: boolean;
  /** What the run had spent when it settled last; 0 for one that has not. */
  readonly spentUsd: number;
  /** What counts against budgets while the run goes on. */
  readonly heldUsd: number;
}

export async function findReservation(
  transaction: Transaction<Database>,
  run: Author,
): Promise<ReservationRow | null> {
  const row = await transaction
    .selectFrom('budget_reservations')
    .select(['execution_run_id', 'state', 'estimate_usd', 'spent_usd'])
    .where('workflow_id', '=', run.workflowId)
    .where('run_id', '=', run.runId)
    .executeTakeFirst();
  if (!row) return null;
  return {
    executionRunId: row.execution_run_id,
    isOpen: row.state === 'reserved',
    spentUsd: Number(row.spent_usd),
    heldUsd: Math.max(Number(row.estimate_usd), Number(row.spent_usd)),
  };
}

/** Opens a run's reservation, or opens it again after a reset; what it spent before is not forgotten. */
export async function openReservation(
  transaction: Transaction<Database>,
  request: ReservationRequest,
  approvedBy: string | null,
): Promise<void> {
  const held = {
    execution_run_id: request.executionRunId,
    estimate_usd: roundUsd(request.estimateUsd),
    state: 'reserved',
    approved_by: approvedBy,
    settled_at: null,
  } as const;
  await transaction
    .insertInto('budget_reservations')
    .values({ ...identity(request), ...held, spent_usd: 0 })
    .onConflict((conflict) => conflict.columns(['workflow_id', 'run_id']).doUpdateSet(held))
    .execute();
}

/**
 * Closes a run's reservation. A run that reserved nothing gets its row all the same: a reservation that
 * arrives late, from an attempt that everybody had given up, then finds the run closed.
 */
export async function closeReservation(
  transaction: Transaction<Database>,
  settlement: Settlement,
): Promise<void> {
  const spentUsd = roundUsd(settlement.spentUsd);
  const spent = sql<string>`greatest(budget_reservations.spent_usd, ${spentUsd}::numeric)`;
  await transaction
    .insertInto('budget_reservations')
    .values({
      ...identity(settlement),
      execution_run_id: settlement.executionRunId,
      estimate_usd: 0,
      spent_usd: spentUsd,
      state: spentUsd > 0 ? 'settled' : 'released',
      settled_at: sql<Date>`clock_timestamp()`,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['workflow_id', 'run_id'])
        .doUpdateSet({
          spent_usd: spent,
          state: sql`case when ${spent} > 0 then 'settled' else 'released' end`,
          settled_at: sql<Date>`clock_timestamp()`,
        })
        .where('budget_reservations.state', '=', 'reserved'),
    )
    .execute();
}

/** Books all that a run may have spent; nothing where it holds no reservation. */
export async function closeVanished(transaction: Transaction<Database>, run: Author): Promise<void> {
  await transaction
    .updateTable('budget_reservations')
    .set({
      spent_usd: sql<string>`greatest(spent_usd, estimate_usd)`,
      state: 'settled',
      settled_at: sql<Date>`clock_timestamp()`,
    })
    .where('workflow_id', '=', run.workflowId)
    .where('run_id', '=', run.runId)
    .where('state', '=', 'reserved')
    .execute();
}

function identity({ author, model, scheduleId }: Pick<Settlement, 'author' | 'model' | 'scheduleId'>) {
  return { workflow_id: author.workflowId, run_id: author.runId, model, schedule_id: scheduleId };
}
