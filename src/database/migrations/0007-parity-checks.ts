import { type Kysely, type Migration, sql } from 'kysely';

export const parityChecks: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema
      .createTable('parity_checks')
      .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('model', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('measured', 'text', (column) => column.notNull())
      .addColumn('verdict', 'text', (column) => column.notNull())
      .addColumn('rows', 'jsonb', (column) => column.notNull())
      .addColumn('report_uri', 'text', (column) => column.notNull())
      .addColumn('workflow_id', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
      .addUniqueConstraint('parity_checks_version_run', [
        'model',
        'version',
        'workflow_id',
        'run_id',
        'measured',
      ])
      .addForeignKeyConstraint('parity_checks_version', ['model', 'version'], 'fine_tuned_models', [
        'model',
        'version',
      ])
      .execute();
  },
};
