import type { Kysely, Migration } from 'kysely';

export const artifacts: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable('fine_tuned_models').addColumn('artifact', 'jsonb').execute();
  },
};
