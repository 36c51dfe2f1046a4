import { type Kysely, type Migration, sql } from 'kysely';

export const admissionTickets: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('admission_tickets')
      .addColumn('position', 'bigint', (column) => column.generatedAlwaysAsIdentity().primaryKey())
      .addColumn('queue', 'text', (column) => column.notNull())
      .addColumn('ticket', 'text', (column) => column.notNull().unique())
      .addColumn('joined_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
      .addColumn('seen_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
      .execute();
    await database.schema
      .createIndex('admission_tickets_queue')
      .on('admission_tickets')
      .columns(['queue', 'position'])
      .execute();
  },
};
