import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRegistry } from '../../src/activities/registry/postgres-registry.js';
import { newVersion } from '../contract/registry.contract.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const registry = createRegistry(testDatabase.database);
  const author = { workflowId: 'fine-tune/history', runId: 'run-1' };
  const { version } = await registry.registerVersion(author, newVersion('history', 'history-a'));
  await registry.promote(author, {
    model: 'history',
    version,
    action: 'promote',
    deployedBy: 'tests',
    notes: 'first',
  });
});

afterAll(() => testDatabase.drop());

test.each([
  ['an update', sql`update deployment_history set notes = 'never happened'`],
  ['an update of no row', sql`update deployment_history set notes = '' where false`],
  ['a delete', sql`delete from deployment_history`],
  ['a truncate', sql`truncate deployment_history`],
])('history refuses %s', async (_what, statement) => {
  await expect(statement.execute(testDatabase.database)).rejects.toThrow(
    /deployment_history is append-only: .* is refused/,
  );
  const rows = await testDatabase.database.selectFrom('deployment_history').select('notes').execute();
  expect(rows).toEqual([{ notes: 'first' }]);
});
