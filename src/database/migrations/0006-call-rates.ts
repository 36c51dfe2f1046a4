import type { Kysely, Migration } from 'kysely';

/** The shape that rate-limiter-flexible works with; a row for each API of an account. */
export const callRates: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('call_rates')
      .addColumn('key', 'varchar(255)', (column) => column.primaryKey())
      .addColumn('points', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('expire', 'bigint')
      .execute();
  },
};
