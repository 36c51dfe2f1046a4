import { afterAll, expect, test } from 'vitest';
import { createRegistry } from '../../src/activities/registry/postgres-registry.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { describeRegistry, newVersion } from './registry.contract.js';

let testDatabase: TestDatabase;

describeRegistry('Postgres', async () => {
  testDatabase = await createTestDatabase();
  return createRegistry(testDatabase.database);
});

test('a training job that has ended stays ended, whatever a late repetition says', async () => {
  const rows = await testDatabase.database
    .selectFrom('training_jobs')
    .select(['status', 'raw_status', 'training_loss', 'total_epochs', 'learning_rate', 'run_id'])
    .execute();
  expect(rows).toEqual([
    {
      status: 'succeeded',
      raw_status: 'Completed',
      training_loss: 0.5,
      total_epochs: 2,
      learning_rate: 0.00001,
      run_id: 'run-1',
    },
  ]);
});

test('a dataset is kept once for each workflow that built it', async () => {
  const rows = await testDatabase.database.selectFrom('datasets').select(['workflow_id', 'run_id']).execute();
  expect(rows).toEqual([{ workflow_id: 'fine-tune/stylist', run_id: 'run-1' }]);
});

test('the metrics that models are compared by stand beside the version, unmeasured ones as nothing', async () => {
  const registry = createRegistry(testDatabase.database);
  const author = { workflowId: 'fine-tune/measured', runId: 'run-1' };
  await registry.registerVersion(author, newVersion('measured', 'measured-a'));
  await registry.recordValidation(author, 'measured', 1, {
    verdict: 'passed',
    policy: 'analyst',
    samples: 200,
    metrics: { winRate: 0.61, consistency: 0.9, 'latency.mean_s': 1.25, goldStarRate: null },
    checks: [],
    reportUri: 's3://anneal/report.html',
  });
  const row = await testDatabase.database
    .selectFrom('fine_tuned_models')
    .select(['win_rate', 'consistency_score', 'latency_ms', 'gold_star_rate', 'vram_usage_gb'])
    .where('model', '=', 'measured')
    .executeTakeFirst();
  expect(row).toEqual({
    win_rate: 0.61,
    consistency_score: 0.9,
    latency_ms: 1250,
    gold_star_rate: null,
    vram_usage_gb: null,
  });
});

afterAll(() => testDatabase?.drop());
