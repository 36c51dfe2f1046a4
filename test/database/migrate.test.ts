import { type Kysely, sql } from 'kysely';
import { afterEach, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../src/database/database.js';
import { migrateToLatest } from '../../src/database/migrate.js';
import { createTestDatabase, dropDatabase, newDatabaseUrl } from '../support/postgres.js';

describe('migrateToLatest', () => {
  let databaseUrl = '';
  afterEach(() => dropDatabase(databaseUrl));

  test('creates the database where it is missing, and does nothing the second time', async () => {
    databaseUrl = newDatabaseUrl();
    const first = await migrateToLatest(databaseUrl);
    expect(first.createdDatabase).toBe(true);
    expect(first.applied).toContain('0001-registry-tables');
    expect(await migrateToLatest(databaseUrl)).toEqual({ createdDatabase: false, applied: [] });
  });

  test('may run in several processes at once', async () => {
    databaseUrl = newDatabaseUrl();
    const reports = await Promise.all([1, 2, 3, 4].map(() => migrateToLatest(databaseUrl)));
    expect(reports.filter(({ createdDatabase }) => createdDatabase)).toHaveLength(1);
    expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    const database = createDatabase(databaseUrl);
    expect(await tableNames(database)).toEqual([
      'admission_tickets',
      'aliases',
      'budget_reservations',
      'budgets',
      'call_rates',
      'closed_tickets',
      'datasets',
      'deployment_history',
      'deployment_usage',
      'fine_tuned_models',
      'idle_releases',
      'parity_checks',
      'spend',
      'training_jobs',
      'validations',
    ]);
    await database.destroy();
  });

  test('says which part of an unusable address is wrong', async () => {
    databaseUrl = newDatabaseUrl();
    await expect(migrateToLatest('not a url')).rejects.toThrow(/DATABASE_URL is not a URL/);
    await expect(migrateToLatest('postgres://postgres@127.0.0.1:1')).rejects.toThrow(/names no database/);
    await expect(migrateToLatest('postgres://postgres@127.0.0.1:1/anneal')).rejects.toThrow(
      /127\.0\.0\.1:1 cannot be reached: .*Check DATABASE_URL/,
    );
  });
});

/** What people set, who waits in line now, what was used last, how often was called: no run's doings. */
const withoutAuthor = ['budgets', 'admission_tickets', 'deployment_usage', 'call_rates'];

describe('every table', () => {
  test('that records what runs did carries the workflow and the run that wrote a row', async () => {
    const { database, drop } = await createTestDatabase();
    const { rows } = await sql<{ table_name: string; columns: string[] }>`
      select table_name, array_agg(column_name::text) as columns from information_schema.columns
      where table_schema = 'public' and table_name not like 'kysely%' group by table_name`.execute(database);
    expect(rows.length).toBeGreaterThan(0);
    for (const { table_name, columns } of rows.filter((row) => !withoutAuthor.includes(row.table_name))) {
      expect(columns, table_name).toEqual(expect.arrayContaining(['workflow_id', 'run_id']));
    }
    await drop();
  });

  test('keeps the columns that the registry promises for quality, performance and progress', async () => {
    const { database, drop } = await createTestDatabase();
    expect(await columnNames(database, 'fine_tuned_models')).toEqual(
      expect.arrayContaining([
        ...['win_rate', 'gold_star_rate', 'avg_rating', 'consistency_score'],
        ...['tokens_per_second', 'latency_ms', 'vram_usage_gb'],
        ...['status', 'deployed_at', 'deployment_config'],
      ]),
    );
    expect(await columnNames(database, 'training_jobs')).toEqual(
      expect.arrayContaining([
        ...['current_epoch', 'total_epochs', 'current_step', 'total_steps'],
        ...['training_loss', 'validation_loss', 'learning_rate', 'status'],
      ]),
    );
    expect(await columnNames(database, 'deployment_history')).toEqual(
      expect.arrayContaining(['action', 'deployed_by', 'notes', 'deployment_config']),
    );
    await drop();
  });
});

async function tableNames(database: Kysely<Database>): Promise<string[]> {
  const tables = await database.introspection.getTables();
  return tables.map(({ name }) => name).sort();
}

async function columnNames(database: Kysely<Database>, table: string): Promise<string[]> {
  const tables = await database.introspection.getTables();
  return tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? [];
}
