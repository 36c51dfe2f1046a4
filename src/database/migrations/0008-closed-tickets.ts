import { type Kysely, type Migration, sql } from 'kysely';

export const closedTickets: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('closed_tickets')
      .addColumn('ticket', 'text', (column) => column.primaryKey())
      .addColumn('workflow_id', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('closed_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
      .execute();
  },
};
