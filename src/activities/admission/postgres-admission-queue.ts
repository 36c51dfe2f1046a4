import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { AdmissionQueue } from './admission-queue.js';

/** Looks are minutes apart at most: who has not looked for so long is not waiting any more. */
const abandonedAfter = sql`interval '30 minutes'`;

/** The queue on Postgres: positions count up and are never given twice. */
export function createAdmissionQueue(database: Kysely<Database>): AdmissionQueue {
  const leave = async (ticket: string) => {
    await database.deleteFrom('admission_tickets').where('ticket', '=', ticket).execute();
  };
  return {
    leave,

    async ahead(queue, ticket) {
      const own = await database
        .updateTable('admission_tickets')
        .set({ seen_at: sql`clock_timestamp()` })
        .where('ticket', '=', ticket)
        .returning('position')
        .executeTakeFirst();
      let others = database
        .selectFrom('admission_tickets')
        .select((expression) => expression.fn.countAll().as('count'))
        .where('queue', '=', queue)
        .where('ticket', '!=', ticket)
        .where('seen_at', '>', sql<Date>`clock_timestamp() - ${abandonedAfter}`);
      if (own) others = others.where('position', '<', own.position);
      return Number((await others.executeTakeFirstOrThrow()).count);
    },

    async join(queue, ticket) {
      await database
        .insertInto('admission_tickets')
        .values({ queue, ticket })
        .onConflict((conflict) => conflict.column('ticket').doNothing())
        .execute();
    },

    async close({ workflowId, runId }, ticket) {
      await database
        .insertInto('closed_tickets')
        .values({ ticket, workflow_id: workflowId, run_id: runId })
        .onConflict((conflict) => conflict.column('ticket').doNothing())
        .execute();
      await leave(ticket);
    },

    async closedAt(ticket) {
      const closed = await database
        .selectFrom('closed_tickets')
        .select('closed_at')
        .where('ticket', '=', ticket)
        .executeTakeFirst();
      return closed?.closed_at ?? null;
    },
  };
}
