import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { AdmissionTicketsTable } from './tables/admission-tickets.table.js';
import type { AliasesTable } from './tables/aliases.table.js';
import type { BudgetReservationsTable } from './tables/budget-reservations.table.js';
import type { BudgetsTable } from './tables/budgets.table.js';
import type { ClosedTicketsTable } from './tables/closed-tickets.table.js';
import type { DatasetsTable } from './tables/datasets.table.js';
import type { DeploymentHistoryTable } from './tables/deployment-history.table.js';
import type { DeploymentUsageTable } from './tables/deployment-usage.table.js';
import type { FineTunedModelsTable } from './tables/fine-tuned-models.table.js';
import type { IdleReleasesTable } from './tables/idle-releases.table.js';
import type { ParityChecksTable } from './tables/parity-checks.table.js';
import type { SpendTable } from './tables/spend.table.js';
import type { TrainingJobsTable } from './tables/training-jobs.table.js';
import type { ValidationsTable } from './tables/validations.table.js';

export interface Database {
  admission_tickets: AdmissionTicketsTable;
  aliases: AliasesTable;
  budget_reservations: BudgetReservationsTable;
  budgets: BudgetsTable;
  closed_tickets: ClosedTicketsTable;
  datasets: DatasetsTable;
  deployment_history: DeploymentHistoryTable;
  deployment_usage: DeploymentUsageTable;
  fine_tuned_models: FineTunedModelsTable;
  idle_releases: IdleReleasesTable;
  parity_checks: ParityChecksTable;
  spend: SpendTable;
  training_jobs: TrainingJobsTable;
  validations: ValidationsTable;
}

const poolLimit = 10;
const connectionTimeoutMs = 10_000;
/** No statement of the registry takes long; one that does is stuck behind a lock and may be tried again. */
const statementTimeoutMs = 30_000;

/** A pool of connections, opened lazily. */
export function createPool(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: poolLimit,
    connectionTimeoutMillis: connectionTimeoutMs,
    statement_timeout: statementTimeoutMs,
    application_name: 'anneal',
  });
  // An idle connection that the server closes is no incident: the next query opens another.
  pool.on('error', () => {});
  // Nor is one that is cut between two statements of a transaction: the next statement fails and says so.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** The tables; `destroy()` ends the pool, too. */
export function createDatabase(databaseUrl: string, pool = createPool(databaseUrl)): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}
