import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { AliasesTable } from './tables/aliases.table.js';
import type { DatasetsTable } from './tables/datasets.table.js';
import type { DeploymentHistoryTable } from './tables/deployment-history.table.js';
import type { FineTunedModelsTable } from './tables/fine-tuned-models.table.js';
import type { TrainingJobsTable } from './tables/training-jobs.table.js';
import type { ValidationsTable } from './tables/validations.table.js';

export interface Database {
  aliases: AliasesTable;
  datasets: DatasetsTable;
  deployment_history: DeploymentHistoryTable;
  fine_tuned_models: FineTunedModelsTable;
  training_jobs: TrainingJobsTable;
  validations: ValidationsTable;
}

const poolLimit = 10;
const connectionTimeoutMs = 10_000;
/** No statement of the registry takes long; one that does is stuck behind a lock and may be tried again. */
const statementTimeoutMs = 30_000;

/** Opens a pool of connections, lazily; end it with `destroy()`. */
export function createDatabase(databaseUrl: string): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: poolLimit,
    connectionTimeoutMillis: connectionTimeoutMs,
    statement_timeout: statementTimeoutMs,
    application_name: 'anneal',
  });
  // An idle connection that the server closes is no incident: the next query opens another.
  pool.on('error', () => {});
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}
