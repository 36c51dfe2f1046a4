import { type Kysely, type Migration, sql } from 'kysely';

export const deploymentUsage: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('deployment_usage')
      .addColumn('deployment_id', 'text', (column) => column.primaryKey())
      .addColumn('last_used_at', 'timestamptz(3)', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('idle_releases')
      .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('model', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('deployment_name', 'text', (column) => column.notNull().unique())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('settings', 'jsonb', (column) => column.notNull())
      .addColumn('workflow_id', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('at', 'timestamptz(3)', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
      .addForeignKeyConstraint('idle_releases_version', ['model', 'version'], 'fine_tuned_models', [
        'model',
        'version',
      ])
      .execute();
  },
};
