import { type CreateTableBuilder, type Kysely, type Migration, sql } from 'kysely';

export const registryTables: Migration = {
  async up(database: Kysely<unknown>) {
    await createDatasets(database);
    await createTrainingJobs(database);
    await createFineTunedModels(database);
    await createAliases(database);
    await createValidations(database);
    await createDeploymentHistory(database);
    await refuseChangesToHistory(database);
  },
};

async function createDatasets(database: Kysely<unknown>) {
  await withAuthor(withId(database.schema.createTable('datasets')))
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('manifest_uri', 'text', (column) => column.notNull())
    .addColumn('records', 'integer', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('recipe_hash', 'text', (column) => column.notNull())
    .addColumn('manifest', 'jsonb', (column) => column.notNull())
    .addUniqueConstraint('datasets_sha256_workflow_id', ['sha256', 'workflow_id'])
    .execute();
}

async function createTrainingJobs(database: Kysely<unknown>) {
  await withAuthor(withId(database.schema.createTable('training_jobs')))
    .addColumn('job_name', 'text', (column) => column.notNull().unique())
    .addColumn('job_id', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('provider', 'text', (column) => column.notNull())
    .addColumn('base_model', 'text', (column) => column.notNull())
    .addColumn('hyperparameters', 'jsonb', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('raw_status', 'text', (column) => column.notNull())
    .addColumn('progress', 'text', (column) => column.notNull())
    .addColumn('failure_message', 'text')
    .addColumn('model_id', 'text')
    .addColumn('current_epoch', 'double precision')
    .addColumn('total_epochs', 'double precision')
    .addColumn('current_step', 'integer')
    .addColumn('total_steps', 'integer')
    .addColumn('training_loss', 'double precision')
    .addColumn('validation_loss', 'double precision')
    .addColumn('learning_rate', 'double precision')
    .addColumn('started_at', 'timestamptz')
    .addColumn('ended_at', 'timestamptz')
    .addColumn('updated_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
    .addCheckConstraint(
      'training_jobs_status',
      sql`status in ('pending', 'running', 'stopping', 'succeeded', 'failed', 'cancelled')`,
    )
    .execute();
  await database.schema.createIndex('training_jobs_model').on('training_jobs').column('model').execute();
}

async function createFineTunedModels(database: Kysely<unknown>) {
  await withAuthor(withId(database.schema.createTable('fine_tuned_models')))
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('recipe', 'text', (column) => column.notNull())
    .addColumn('provider', 'text', (column) => column.notNull())
    .addColumn('base_model', 'text', (column) => column.notNull())
    .addColumn('model_name', 'text', (column) => column.notNull().unique())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('job_name', 'text', (column) => column.notNull())
    .addColumn('dataset_sha256', 'text', (column) => column.notNull())
    .addColumn('dataset_manifest_uri', 'text', (column) => column.notNull())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('verdict', 'text')
    .addColumn('report_uri', 'text')
    .addColumn('deployed_at', 'timestamptz')
    .addColumn('deployment_config', 'jsonb')
    .addColumn('win_rate', 'double precision')
    .addColumn('gold_star_rate', 'double precision')
    .addColumn('avg_rating', 'double precision')
    .addColumn('consistency_score', 'double precision')
    .addColumn('tokens_per_second', 'double precision')
    .addColumn('latency_ms', 'double precision')
    .addColumn('vram_usage_gb', 'double precision')
    .addColumn('updated_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
    .addUniqueConstraint('fine_tuned_models_model_version', ['model', 'version'])
    .addCheckConstraint(
      'fine_tuned_models_status',
      sql`status in ('candidate', 'champion', 'previous', 'rejected', 'archived')`,
    )
    .addCheckConstraint(
      'fine_tuned_models_verdict',
      sql`verdict in ('passed', 'failed', 'inconclusive', 'error')`,
    )
    .execute();
  await sql`create unique index fine_tuned_models_one_champion on fine_tuned_models (model)
    where status = 'champion'`.execute(database);
}

async function createAliases(database: Kysely<unknown>) {
  await database.schema
    .createTable('aliases')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('alias', 'text', (column) => column.notNull())
    .addColumn('version', 'integer')
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
    .addPrimaryKeyConstraint('aliases_model_alias', ['model', 'alias'])
    .addForeignKeyConstraint('aliases_version', ['model', 'version'], 'fine_tuned_models', [
      'model',
      'version',
    ])
    .execute();
}

async function createValidations(database: Kysely<unknown>) {
  await withAuthor(withId(database.schema.createTable('validations')))
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('verdict', 'text', (column) => column.notNull())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('samples', 'integer', (column) => column.notNull())
    .addColumn('metrics', 'jsonb', (column) => column.notNull())
    .addColumn('checks', 'jsonb', (column) => column.notNull())
    .addColumn('report_uri', 'text', (column) => column.notNull())
    .addUniqueConstraint('validations_version_run', ['model', 'version', 'workflow_id', 'run_id'])
    .addForeignKeyConstraint('validations_version', ['model', 'version'], 'fine_tuned_models', [
      'model',
      'version',
    ])
    .execute();
}

async function createDeploymentHistory(database: Kysely<unknown>) {
  await database.schema
    .createTable('deployment_history')
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('previous_version', 'integer')
    .addColumn('deployment_config', 'jsonb')
    .addColumn('deployed_by', 'text', (column) => column.notNull())
    .addColumn('notes', 'text', (column) => column.notNull())
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('at', 'timestamptz(3)', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
    .addCheckConstraint(
      'deployment_history_action',
      sql`action in ('deploy', 'undeploy', 'promote', 'reject', 'rollback', 'teardown')`,
    )
    .addForeignKeyConstraint('deployment_history_version', ['model', 'version'], 'fine_tuned_models', [
      'model',
      'version',
    ])
    .execute();
  await sql`create unique index deployment_history_one_deploy on deployment_history
    (model, version, (deployment_config->>'name')) where action = 'deploy'`.execute(database);
  await database.schema
    .createIndex('deployment_history_model')
    .on('deployment_history')
    .columns(['model', 'id'])
    .execute();
}

async function refuseChangesToHistory(database: Kysely<unknown>) {
  await sql`create function refuse_change_to_history() returns trigger language plpgsql as $$
    begin
      raise exception 'deployment_history is append-only: % is refused; append a correcting row instead', tg_op;
    end $$`.execute(database);
  await sql`create trigger deployment_history_append_only
    before update or delete or truncate on deployment_history
    for each statement execute function refuse_change_to_history()`.execute(database);
}

function withId<Table extends string, Column extends string>(table: CreateTableBuilder<Table, Column>) {
  return table.addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity());
}

function withAuthor<Table extends string, Column extends string>(table: CreateTableBuilder<Table, Column>) {
  return table
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`));
}
