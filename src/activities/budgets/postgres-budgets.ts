import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import { exceededBudgets } from '../../domain/budget.js';
import { roundUsd } from '../../domain/money.js';
import type { Author } from '../registry/registry.js';
import type { Booking, Budgets, Reservation, ReservationRequest, Spender } from './budgets.js';
import {
  closeReservation,
  closeVanished,
  findReservation,
  openReservation,
} from './reservation.repository.js';
import { listStandings, standingsFor } from './standing.repository.js';

/** Any number; that of every Anneal on one database must be the same. */
const ledgerLock = 4_180_226;

/** Budgets on Postgres. Every method is one statement or one transaction. */
export function createBudgets(database: Kysely<Database>): Budgets {
  return {
    set: async ({ scope, name, limitUsd, period }) => {
      const limit = { limit_usd: limitUsd, period };
      await database
        .insertInto('budgets')
        .values({ scope, name, ...limit })
        .onConflict((conflict) =>
          conflict.columns(['scope', 'name']).doUpdateSet({ ...limit, updated_at: sql`clock_timestamp()` }),
        )
        .execute();
    },

    remove: async (scope, name) => {
      const [result] = await database
        .deleteFrom('budgets')
        .where('scope', '=', scope)
        .where('name', '=', name)
        .execute();
      return (result?.numDeletedRows ?? 0n) > 0n;
    },

    list: () => listStandings(database),

    check: async (spender, neededUsd) =>
      exceededBudgets(await standingsFor(database, spender, null), neededUsd, null),

    reserve: (request) => oneByOne(database, (transaction) => reserve(transaction, request)),

    settle: (settlement) =>
      oneByOne(database, async (transaction) => {
        await closeReservation(transaction, settlement);
        const at = new Date();
        for (const booking of settlement.bookings) {
          await insertSpend(transaction, settlement.author, settlement, booking, at);
        }
      }),

    settleVanished: (run) => oneByOne(database, (transaction) => closeVanished(transaction, run)),

    book: (author, spender, booking) =>
      oneByOne(database, (transaction) =>
        insertSpend(transaction, author, spender, booking, new Date(booking.at)),
      ),
  };
}

/**
 * Everything that reads or writes the sums takes one lock, so there is no order in which two could wait for
 * each other; each holds it for a few statements. A process that stops answering in the middle loses it.
 */
function oneByOne<T>(
  database: Kysely<Database>,
  work: (transaction: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return database.transaction().execute(async (transaction) => {
    await sql`select set_config('lock_timeout', '10s', true),
      set_config('idle_in_transaction_session_timeout', '10s', true)`.execute(transaction);
    await sql`select pg_advisory_xact_lock(${ledgerLock})`.execute(transaction);
    return work(transaction);
  });
}

async function reserve(
  transaction: Transaction<Database>,
  request: ReservationRequest,
): Promise<Reservation> {
  const { author, executionRunId, estimateUsd, budgetUsd, approvedBy } = request;
  const held = await findReservation(transaction, author);
  // A run that was reset holds at least what it spent before, by an approval that may not be given again.
  const neededUsd = Math.max(roundUsd(estimateUsd), held?.spentUsd ?? 0);
  if (held?.isOpen && held.heldUsd >= neededUsd) return { reserved: true, exceeded: [] };
  // An attempt that everybody had given up: its run has ended, and nobody would settle for it again.
  if (held && !held.isOpen && held.executionRunId === executionRunId)
    return { reserved: false, exceeded: [] };

  const exceeded = exceededBudgets(await standingsFor(transaction, request, author), neededUsd, budgetUsd);
  const fits = exceeded.length === 0;
  if (!fits && approvedBy === null) return { reserved: false, exceeded };
  await openReservation(transaction, request, fits ? null : approvedBy);
  return { reserved: true, exceeded };
}

async function insertSpend(
  transaction: Transaction<Database>,
  author: Author,
  { model, scheduleId }: Spender,
  { key, what, usd }: Booking,
  at: Date,
): Promise<void> {
  await transaction
    .insertInto('spend')
    .values({
      key,
      model,
      schedule_id: scheduleId,
      what,
      usd: roundUsd(usd),
      at,
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
}
