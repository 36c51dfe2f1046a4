import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBudgets } from '../../src/activities/budgets/postgres-budgets.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { newRequest } from '../contract/budgets.contract.js';
import { createTestDatabase, newDatabaseUrl, type TestDatabase } from '../support/postgres.js';

let testDatabase: TestDatabase;
let home: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  home = mkdtempSync(join(tmpdir(), 'anneal-budget-'));
});

afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await testDatabase.drop();
});

function anneal(args: string[], { input = '', databaseUrl = testDatabase.databaseUrl } = {}) {
  const { status, stdout, stderr } = spawnSync(join(repositoryRoot, 'anneal'), args, {
    input,
    encoding: 'utf8',
    env: { ...process.env, ANNEAL_HOME: home, ANNEAL_CLOUD: '', DATABASE_URL: databaseUrl },
  });
  return { status, stdout, stderr };
}

describe('anneal budget', () => {
  it('sets, shows and removes limits', { timeout: 180_000 }, async () => {
    expect(anneal(['budget', 'list']).stdout).toContain('There are no budgets. Set one');
    expect(anneal(['budget', 'set', 'account', '500.5', '--period', 'month'])).toMatchObject({
      status: 0,
      stdout: 'The budget of the account is $500.50 a month.\n',
    });
    anneal(['budget', 'set', 'schedule', 'weekly', '25', '--period', 'month']);
    anneal(['budget', 'set', 'model', 'letters', '5']);
    expect(anneal(['budget', 'set', 'model', 'letters', '15']).stdout).toContain('is $15.00 in total');
    const budgets = createBudgets(testDatabase.database);
    await budgets.reserve(newRequest('letters', { scheduleId: 'weekly' }));
    await budgets.reserve(newRequest('letters', { estimateUsd: 7, approvedBy: 'Ada' }));

    const { stdout } = anneal(['budget', 'list']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['budget of', 'limit', 'reserved', 'spent', 'free'],
      ['the account', '$500.50 a month', '$17.00', '$0', '$483.50'],
      ['model letters', '$15.00 in total', '$17.00', '$0', '-$2.00'],
      ['schedule weekly', '$25.00 a month', '$10.00', '$0', '$15.00'],
      [''],
    ]);
    const [account] = JSON.parse(anneal(['budget', 'list', '--json']).stdout);
    expect(account).toEqual({
      ...{ scope: 'account', name: '*', period: 'month' },
      ...{ limitUsd: 500.5, spentUsd: 0, reservedUsd: 17, freeUsd: 483.5 },
    });

    expect(anneal(['budget', 'remove', 'schedule', 'weekly'])).toMatchObject({ status: 0 });
    expect(anneal(['budget', 'remove', 'schedule', 'weekly'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('There is no budget of schedule weekly; "anneal budget list"'),
    });
  });

  it.each([
    [
      ['set', 'modle', 'letters', '5'],
      /scope: found "modle"; allowed: account, model, schedule\. Did you mean "model"\?/,
    ],
    [['set', 'model'], /name: found nothing; allowed: a model's name.*anneal budget set model stylist 100/],
    [['set', 'model', 'Letters', '5'], /name: found "Letters"; allowed: a model's name: small letters/],
    [['set', 'model', 'letters'], /limit: found nothing; allowed: US dollars as a number/],
    [['set', 'model', 'letters', 'ten'], /limit: found "ten"; allowed: US dollars/],
    [['set', 'account', 'everything', '5'], /name: found "everything"; allowed: none/],
    [['set', 'model', 'letters', '5', '--period', 'year'], /period: found "year"; allowed: total, month/],
    [['set', 'model', 'letters', '5', '--perod', 'month'], /--perod.*\n?.*Did you mean --period\?/],
    [['remove', 'model'], /name: found nothing/],
    [['lst'], /unknown command 'lst'/],
  ])('refuses %j with exit code 2 and a remedy', (args, message) => {
    const { status, stderr } = anneal(['budget', ...args]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  it('says what to do where no database answers, and where it is older than the budgets', async () => {
    const databaseUrl = 'postgres://postgres@127.0.0.1:1/anneal';
    expect(anneal(['budget', 'list'], { databaseUrl })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/Postgres at 127\.0\.0\.1:1 cannot be reached\. Remedy: .*"anneal up"/),
    });
    expect(anneal(['budget', 'list'], { databaseUrl: newDatabaseUrl() })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Remedy: anneal migrate'),
    });
  });

  it.each([[['budget']], [['budget', 'set']]])('explains %j', (command) => {
    expect(anneal([...command, '--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Usage: anneal budget'),
    });
  });
});

describe('anneal estimate', () => {
  const run = (more: object = {}) => ({
    input: JSON.stringify({
      recipe: 'stylist',
      model: 'estimated',
      dataset: { source: { kind: 'builder', records: 40 } },
      validation: { samples: 10 },
      ...more,
    }),
  });

  it('shows the arithmetic of every line, and what is paid each month afterwards', () => {
    const { stdout } = anneal(['estimate', '-'], run({ deployment: { target: 'bedrock-provisioned' } }));
    expect(stdout).toMatch(/training: \d+ tokens × \d+ epochs × \$0\.001 per 1,000 +\$0\.\d+/);
    expect(stdout).toMatch(/deployment: 1 h × 1 unit × \$60\.00 on bedrock-provisioned +\$60\.00/);
    expect(stdout).toMatch(/validation: 10 questions × \(\d+ tokens × \$0 \+ \d+ × \$0\) per 1,000 +\$0/);
    expect(stdout).toMatch(
      /Each month afterwards.*\n +the trained model, stored +\$1\.95\n +the deployment.*\$43800\.00/,
    );
    expect(stdout).toMatch(
      /The run would wait for approve: the estimate of \$60\.\d+ is above budgetUsd \$25\.00/,
    );
  });

  it('contains the whole term of a commitment, and says that it needs an approval', () => {
    const settings = { modelUnits: 2, commitmentDuration: 'SixMonths' };
    const deployment = { target: 'bedrock-provisioned', settings };
    const { stdout } = anneal(['estimate', '-'], run({ deployment, budgetUsd: 1e6 }));
    expect(stdout).toMatch(/commitment: the whole term, 4416 h × 2 units × \$40\.00 .* \$353280\.00/);
    expect(stdout).toContain('The run would wait for approve: a commitment is bought only with an approval.');
  });

  it('names the budgets that the run would pass where a database answers, and says where none does', async () => {
    await createBudgets(testDatabase.database).set({
      scope: 'model',
      name: 'estimated',
      limitUsd: 0.001,
      period: 'total',
    });
    expect(anneal(['estimate', '-'], run()).stdout).toMatch(
      /Within budgetUsd \$25\.00\.\nThe run would wait for approve: the budget of model estimated is \$0\.0010:/,
    );
    const databaseUrl = 'postgres://postgres@127.0.0.1:1/anneal';
    const { status, stdout } = anneal(['estimate', '-'], { ...run(), databaseUrl });
    expect(stdout).toContain('Other budgets were not looked at: no database answered.');
    expect(status).toBe(0);
  });
});
