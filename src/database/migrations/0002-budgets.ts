import { type ColumnDefinitionBuilder, type Kysely, type Migration, sql } from 'kysely';

/** Hundredths of a cent, exactly. */
const usd = sql`numeric(16, 4)`;
const now = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(sql`clock_timestamp()`);
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0);

export const budgetTables: Migration = {
  async up(database: Kysely<unknown>) {
    await createBudgets(database);
    await createReservations(database);
    await createSpend(database);
  },
};

async function createBudgets(database: Kysely<unknown>) {
  await database.schema
    .createTable('budgets')
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('limit_usd', usd, (column) => column.notNull())
    .addColumn('period', 'text', (column) => column.notNull())
    .addColumn('created_at', 'timestamptz', now)
    .addColumn('updated_at', 'timestamptz', now)
    .addPrimaryKeyConstraint('budgets_scope_name', ['scope', 'name'])
    .addCheckConstraint('budgets_scope', sql`scope in ('account', 'model', 'schedule')`)
    .addCheckConstraint('budgets_account', sql`scope <> 'account' or name = '*'`)
    .addCheckConstraint('budgets_period', sql`period in ('total', 'month')`)
    .addCheckConstraint('budgets_limit', sql`limit_usd >= 0`)
    .execute();
}

async function createReservations(database: Kysely<unknown>) {
  await database.schema
    .createTable('budget_reservations')
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('execution_run_id', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('schedule_id', 'text')
    .addColumn('estimate_usd', usd, zero)
    .addColumn('spent_usd', usd, zero)
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('approved_by', 'text')
    .addColumn('created_at', 'timestamptz', now)
    .addColumn('settled_at', 'timestamptz')
    .addPrimaryKeyConstraint('budget_reservations_run', ['workflow_id', 'run_id'])
    .addCheckConstraint('budget_reservations_state', sql`state in ('reserved', 'settled', 'released')`)
    .addCheckConstraint('budget_reservations_settled', sql`(state = 'reserved') = (settled_at is null)`)
    .addCheckConstraint('budget_reservations_usd', sql`estimate_usd >= 0 and spent_usd >= 0`)
    .execute();
  await database.schema
    .createIndex('budget_reservations_model')
    .on('budget_reservations')
    .columns(['model', 'settled_at'])
    .execute();
}

async function createSpend(database: Kysely<unknown>) {
  await database.schema
    .createTable('spend')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('schedule_id', 'text')
    .addColumn('what', 'text', (column) => column.notNull())
    .addColumn('usd', usd, (column) => column.notNull())
    .addColumn('at', 'timestamptz', (column) => column.notNull())
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'timestamptz', now)
    .addCheckConstraint('spend_usd', sql`usd >= 0`)
    .execute();
  await database.schema.createIndex('spend_model').on('spend').columns(['model', 'at']).execute();
}
