import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { createDatabase, type Database } from '../../src/database/database.js';
import { migrateToLatest } from '../../src/database/migrate.js';
import { providedAddresses } from './addresses.js';

export interface TestDatabase {
  readonly databaseUrl: string;
  readonly database: Kysely<Database>;
  /** Closes the pool and deletes the database. */
  drop(): Promise<void>;
}

/** A migrated database of one's own, on the server of this test run unless another is given. */
export async function createTestDatabase(server?: string): Promise<TestDatabase> {
  const databaseUrl = newDatabaseUrl(server);
  await migrateToLatest(databaseUrl);
  const database = createDatabase(databaseUrl);
  return {
    databaseUrl,
    database,
    drop: async () => {
      await database.destroy();
      await dropDatabase(databaseUrl);
    },
  };
}

/** The address of a database that does not exist yet. */
export function newDatabaseUrl(server = providedAddresses().databaseUrl): string {
  const url = new URL(server);
  url.pathname = `/test_${randomBytes(6).toString('hex')}`;
  return url.href;
}

export async function dropDatabase(databaseUrl: string): Promise<void> {
  const server = new URL(databaseUrl);
  const name = server.pathname.slice(1);
  server.pathname = '/postgres';
  const client = new pg.Client({ connectionString: server.href });
  await client.connect();
  try {
    await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
  } finally {
    await client.end();
  }
}
