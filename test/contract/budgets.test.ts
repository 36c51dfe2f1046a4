import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { createBudgets } from '../../src/activities/budgets/postgres-budgets.js';
import { createDatabase } from '../../src/database/database.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { describeBudgets, newRequest, settlementOf } from './budgets.contract.js';

let testDatabase: TestDatabase;

describeBudgets('Postgres', async () => {
  testDatabase = await createTestDatabase();
  return createBudgets(testDatabase.database);
});

afterAll(() => testDatabase?.drop());

describe('budgets on Postgres', () => {
  test('of a month count from its first instant in UTC; what is reserved counts always', async () => {
    const { database } = testDatabase;
    const budgets = createBudgets(database);
    await budgets.set({ scope: 'model', name: 'monthly', limitUsd: 25, period: 'month' });
    const [before, inside, open] = [newRequest('monthly'), newRequest('monthly'), newRequest('monthly')];
    for (const request of [before, inside, open]) await budgets.reserve({ ...request, approvedBy: 'Ada' });
    for (const request of [before, inside]) await budgets.settle(settlementOf(request, 10));
    const start = sql<Date>`date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'`;
    const settleAt = (run: typeof before, at: ReturnType<typeof sql<Date>>) =>
      database
        .updateTable('budget_reservations')
        .set({ settled_at: at })
        .where('workflow_id', '=', run.author.workflowId)
        .execute();
    await settleAt(before, sql<Date>`${start} - interval '1 millisecond'`);
    await settleAt(inside, start);
    await database
      .updateTable('budget_reservations')
      .set({ created_at: sql<Date>`${start} - interval '9 days'` })
      .where('workflow_id', '=', open.author.workflowId)
      .execute();
    const [year, month] = [new Date().getUTCFullYear(), new Date().getUTCMonth()];
    const booking = { what: 'hours', usd: 3 };
    await budgets.book(open.author, open, {
      ...booking,
      key: 'last month',
      at: new Date(Date.UTC(year, month) - 1).toISOString(),
    });
    await budgets.book(open.author, open, {
      ...booking,
      key: 'this month',
      at: new Date(Date.UTC(year, month)).toISOString(),
    });
    expect((await budgets.list()).find(({ name }) => name === 'monthly')).toMatchObject({
      spentUsd: 13,
      reservedUsd: 10,
    });
  });

  test('are asked again after the connection was cut, by an error that may be retried', async () => {
    const cut = createDatabase(testDatabase.databaseUrl);
    const budgets = createBudgets(cut);
    await budgets.set({ scope: 'model', name: 'cut', limitUsd: 30, period: 'total' });
    const requests = Array.from({ length: 30 }, () => newRequest('cut'));
    const patiently = async (request: (typeof requests)[number]): Promise<boolean> => {
      for (;;) {
        try {
          return (await budgets.reserve(request)).reserved;
        } catch (error) {
          expect((error as Error).name).not.toMatch(/PermanentFailure|InvalidInput|BudgetExceeded/);
        }
      }
    };
    const reserving = Promise.all(requests.map(patiently));
    for (let cuts = 0; cuts < 5; cuts += 1) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(testDatabase.database);
    }
    expect((await reserving).filter(Boolean)).toHaveLength(3);
    const held = (await budgets.list()).find(({ name }) => name === 'cut');
    expect(held).toMatchObject({ reservedUsd: 30 });
    await cut.destroy();
  });

  // Hundreds of transactions at once: seconds on a free machine, a minute on a crowded one.
  test('never pass their limit, however reservations, settlements and approvals interleave', {
    timeout: 240_000,
  }, async () => {
    const budgets = createBudgets(testDatabase.database);
    let models = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 5 }), async (rounds) => {
        models += 1;
        const model = `property-${models}`;
        await budgets.set({ scope: 'model', name: model, limitUsd: limitCents / 100, period: 'total' });
        const runs = Array.from({ length: 6 }, () => newRequest(model));
        for (const round of rounds) {
          await Promise.all(round.map((one) => take(budgets, runs[one.run] as (typeof runs)[number], one)));
          expect(await heldWithoutApproval(model)).toBeLessThanOrEqual(limitCents);
        }
      }),
      {
        numRuns: 60,
        examples: [
          [
            [
              [{ run: 0, what: 'reserve', cents: 374 }],
              [{ run: 5, what: 'approve', cents: 627 }],
              [{ run: 5, what: 'vanish', cents: 1 }],
              [{ run: 5, what: 'reset', cents: 303 }],
            ],
          ],
        ],
      },
    );
  });
});

const limitCents = 1000;

interface Step {
  readonly run: number;
  readonly what: 'reserve' | 'approve' | 'settle' | 'vanish' | 'reset';
  readonly cents: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  run: fc.nat({ max: 5 }),
  what: fc.constantFrom('reserve', 'reserve', 'approve', 'settle', 'vanish', 'reset'),
  cents: fc.integer({ min: 1, max: 700 }),
});

/** One step of a run; each spends at most what it has reserved, as its estimate was right. */
async function take(
  budgets: ReturnType<typeof createBudgets>,
  run: ReturnType<typeof newRequest>,
  { what, cents }: Step,
): Promise<void> {
  const request = { ...run, estimateUsd: cents / 100 };
  if (what === 'reserve') await budgets.reserve(request);
  if (what === 'approve') await budgets.reserve({ ...request, approvedBy: 'Ada' });
  if (what === 'reset') await budgets.reserve({ ...request, executionRunId: `reset-${cents}` });
  if (what === 'settle') await budgets.settle(settlementOf(run, 0.01));
  if (what === 'vanish') await budgets.settleVanished(run.author);
}

async function heldWithoutApproval(model: string): Promise<number> {
  const { rows } = await sql<{ cents: string }>`
    select coalesce(sum(100 * case state when 'reserved' then greatest(estimate_usd, spent_usd) else spent_usd end), 0) as cents
    from budget_reservations where model = ${model} and approved_by is null and estimate_usd > 0`.execute(
    testDatabase.database,
  );
  return Number(rows[0]?.cents);
}
