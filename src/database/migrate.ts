import { Kysely, Migrator, PostgresDialect } from 'kysely';
import pg from 'pg';
import { migrations } from './migrations/index.js';

const connectionTimeoutMs = 10_000;

/** What a migration did; `applied` is empty when the database was up to date. */
export interface MigrationReport {
  readonly createdDatabase: boolean;
  readonly applied: readonly string[];
}

/**
 * Brings the database to the newest schema, creating the database itself where it is missing and the user
 * may. Safe to call from several processes at once: one of them migrates, the others wait for it.
 */
export async function migrateToLatest(databaseUrl: string): Promise<MigrationReport> {
  const createdDatabase = await createDatabaseIfMissing(databaseUrl);
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 2,
    connectionTimeoutMillis: connectionTimeoutMs,
  });
  const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
    const { error, results = [] } = await migrator.migrateToLatest();
    if (error) {
      const failed = results.find((result) => result.status === 'Error');
      throw new Error(
        `The database could not be migrated${failed ? ` (migration ${failed.migrationName})` : ''}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return { createdDatabase, applied: results.map((result) => result.migrationName) };
  } finally {
    await database.destroy();
  }
}

async function createDatabaseIfMissing(databaseUrl: string): Promise<boolean> {
  const name = databaseName(databaseUrl);
  if (await canConnect(databaseUrl)) return false;
  const maintenanceUrl = new URL(databaseUrl);
  maintenanceUrl.pathname = '/postgres';
  const client = new pg.Client({
    connectionString: maintenanceUrl.href,
    connectionTimeoutMillis: connectionTimeoutMs,
  });
  try {
    await client.connect();
    await client.query(`create database ${client.escapeIdentifier(name)}`);
    return true;
  } catch (error) {
    if (isPostgresError(error, duplicateDatabase, uniqueViolation)) return false;
    throw new Error(
      `Database "${name}" does not exist and could not be created: ${messageOf(error)}. ` +
        `Create it, or let the user of DATABASE_URL create databases.`,
      { cause: error },
    );
  } finally {
    await client.end();
  }
}

/** False only when the server answers that there is no such database. */
async function canConnect(databaseUrl: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectionTimeoutMs,
  });
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (isPostgresError(error, unknownDatabase)) return false;
    throw new Error(
      `Postgres at ${new URL(databaseUrl).host} cannot be reached: ${messageOf(error)}. Check DATABASE_URL.`,
      { cause: error },
    );
  } finally {
    await client.end().catch(() => {});
  }
}

const unknownDatabase = '3D000';
const duplicateDatabase = '42P04';
/** Two `create database` of one name at the same moment. */
const uniqueViolation = '23505';

function isPostgresError(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as { code?: string }).code ?? '');
}

function databaseName(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) {
    throw new Error(
      'DATABASE_URL is not a URL; write it as postgres://user:password@host:port/database, special characters percent-encoded',
    );
  }
  const name = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  if (!name) {
    throw new Error('DATABASE_URL names no database; add one at its end, for instance /anneal');
  }
  return name;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
