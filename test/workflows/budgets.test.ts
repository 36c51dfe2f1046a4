import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Budget, BudgetScope, BudgetStanding } from '../../src/domain/budget.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { hourInASecond } from '../support/sandbox.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 2, quotas: { modelUnitsWithCommitment: 20 } } });
});
afterAll(() => service.stop());

const limit = (
  name: string,
  limitUsd: number,
  scope: BudgetScope = 'model',
  period: Budget['period'] = 'total',
) => service.dependencies.budgets.set({ scope, name, limitUsd, period });

async function standing(name: string, scope: BudgetScope = 'model'): Promise<BudgetStanding | undefined> {
  const all = await service.dependencies.budgets.list();
  return all.find((budget) => budget.scope === scope && budget.name === name);
}

const bought = async (model: string) =>
  (await service.ledger()).filter(({ name, action }) => name.startsWith(model) && action === 'create');

const untilAsked = (handle: WorkflowHandle) =>
  service.awaitStatus(handle, ({ awaiting }) => awaiting !== null);

const provisioned = (settings: object = {}) => ({
  deployment: { target: 'bedrock-provisioned', settings },
  budgetUsd: 100_000,
});

/** The estimate of a run, from one that is never approved. */
async function estimateOf(more: object): Promise<number> {
  const model = service.newModel();
  const handle = await service.start('fineTune', conversation(model, { ...more, budgetUsd: 0 }));
  const { awaiting } = await untilAsked(handle);
  await handle.executeUpdate('reject');
  return Number(/estimate of \$([\d.]+)/.exec(awaiting ?? '')?.[1]);
}

describe.concurrent('a run above its own budget', () => {
  it('waits with the estimate, the limit, the difference and the command; approved, it goes on', async () => {
    const model = service.newModel();
    const handle = await service.start('fineTune', conversation(model, { budgetUsd: 0.0001 }));
    const status = await untilAsked(handle);
    expect(status.awaiting).toMatch(
      /^approve training of \S+ on 16 records for about \$\S+: the estimate of \$\S+ is above budgetUsd \$0\.0001, by \$\S+$/,
    );
    expect(status.next).toContain(`update execute --workflow-id ${handle.workflowId} --name approve`);
    expect(await bought(model)).toEqual([]);
    await handle.executeUpdate('approve', { args: [{ by: 'Ada' }] });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
  });

  it('ends as declined once a person rejects, with nothing bought and nothing reserved', async () => {
    const model = service.newModel();
    await limit(model, 100);
    const handle = await service.start('fineTune', conversation(model, { budgetUsd: 0 }));
    await untilAsked(handle);
    await handle.executeUpdate('reject', { args: [{ by: 'Ada' }] });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined', spendUsd: 0 } });
    expect(await bought(model)).toEqual([]);
    expect(await standing(model)).toMatchObject({ spentUsd: 0, reservedUsd: 0 });
  });

  it('fails as BudgetExceeded when nobody answers, and says what can be done', async () => {
    const model = service.newModel();
    const deadlines = { approvalHours: 0.5 / 3600 };
    const ending = await service.run('fineTune', conversation(model, { budgetUsd: 0, deadlines }));
    expect(ending).toMatchObject({
      type: 'BudgetExceeded',
      message: expect.stringMatching(/above budgetUsd \$0, by .*Nothing was bought\. Raise the budget/),
    });
    expect(await bought(model)).toEqual([]);
    await expectInvariants(service, model);
  });

  it('is asked again before its promotion: an approval is for one question', async () => {
    const model = service.newModel();
    const spec = conversation(model, { budgetUsd: 0, approval: 'before-promotion' });
    const handle = await service.start('fineTune', spec);
    await untilAsked(handle);
    await handle.executeUpdate('approve', { args: [{ by: 'Ada' }] });
    const { awaiting } = await service.awaitStatus(handle, ({ verdict, awaiting }) =>
      Boolean(verdict && awaiting),
    );
    expect(awaiting).toContain('approve promotion');
    await handle.executeUpdate('reject', { args: [{ by: 'Bob' }] });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined', verdict: 'passed' } });
  });
});

describe.concurrent('budgets that people set', () => {
  it('are booked with what a run spent, and free of what it only reserved', async () => {
    const model = service.newModel();
    await limit(model, 100);
    const handle = await service.start('fineTune', conversation(model, provisioned()));
    await service.awaitStatus(handle, ({ stage }) => stage === 'training');
    const reserved = await standing(model);
    expect(reserved?.reservedUsd).toBeGreaterThan(60);
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'completed' });
    const { spendUsd } = (ending as { result: { spendUsd: number } }).result;
    expect(spendUsd).toBeGreaterThan(0);
    expect(await standing(model)).toMatchObject({ spentUsd: spendUsd, reservedUsd: 0 });
  });

  it('are booked once with the hours of a deployment that a later run gave back', async () => {
    const model = service.newModel();
    await limit(model, 10_000);
    const spec = conversation(model, provisioned());
    const first = await service.execute('fineTune', spec);
    const { spendUsd } = await service.execute('teardown', { model, version: 1, force: true });
    expect(spendUsd).toBeGreaterThan(0);
    const standingAfter = await standing(model);
    expect(standingAfter?.spentUsd).toBeCloseTo(first.spendUsd + spendUsd, 3);
  });

  it('get their money back when a run is cancelled, but for what it spent', async () => {
    const model = service.newModel();
    await limit(model, 100);
    const handle = await service.start('fineTune', conversation(model));
    await service.awaitStatus(handle, ({ job }) => Boolean(job?.id));
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    const { spendUsd } = await service.awaitStatus(handle, () => true);
    expect(spendUsd).toBeGreaterThan(0);
    expect(await standing(model)).toMatchObject({ spentUsd: spendUsd, reservedUsd: 0 });
  });

  it('get their money back when a run is cancelled while it waits for an approval', async () => {
    const model = service.newModel();
    await limit(model, 100);
    const handle = await service.start('fineTune', conversation(model, { approval: 'before-training' }));
    await untilAsked(handle);
    expect((await standing(model))?.reservedUsd).toBeGreaterThan(0);
    await handle.cancel();
    await service.endOf(handle);
    expect(await standing(model)).toMatchObject({ spentUsd: 0, reservedUsd: 0 });
  });

  it('get their money back when a run fails', async () => {
    const model = service.newModel();
    await limit(model, 100_000);
    const deadlines = { purchaseHours: 1 / 3600 };
    const spec = conversation(model, { ...provisioned({ modelUnits: 99 }), deadlines });
    expect(await service.run('fineTune', spec)).toMatchObject({ closed: 'failed' });
    const after = await standing(model);
    expect(after?.reservedUsd).toBe(0);
    expect(after?.spentUsd).toBeLessThan(60);
  });

  it('name themselves, their limit and the command to a run of the schedule that passes them', async () => {
    const model = service.newModel();
    const scheduleId = `weekly-${model}`;
    await limit(scheduleId, 0, 'schedule', 'month');
    const schedule = await service.client.schedule.create({
      scheduleId,
      spec: {},
      action: {
        type: 'startWorkflow',
        workflowType: 'fineTune',
        workflowId: `scheduled/${model}`,
        taskQueue: service.taskQueue,
        args: [conversation(model)],
      },
    });
    await schedule.trigger();
    const handle = await firstOf(schedule);
    const { awaiting } = await untilAsked(handle);
    expect(awaiting).toMatch(
      new RegExp(
        `the budget of schedule ${scheduleId} is \\$0 a month: \\$0 spent, \\$0 reserved, \\$\\S+ needed now`,
      ),
    );
    await handle.executeUpdate('approve', { args: [{ by: 'Ada' }] });
    expect(await service.endOf(handle)).toMatchObject({ closed: 'completed' });
    expect((await standing(scheduleId, 'schedule'))?.spentUsd).toBeGreaterThan(0);
    await schedule.delete();
  });

  it('bound what is only deployed as well, but never a rollback', async () => {
    const model = service.newModel();
    const deployment = { target: 'bedrock-provisioned' };
    await service.execute('train', conversation(model));
    await limit(model, 30);
    const handle = await service.start('deploy', { model, deployment });
    const { awaiting } = await untilAsked(handle);
    expect(awaiting).toMatch(
      /approve deployment of \S+ version 1 on bedrock-provisioned: the budget of model/,
    );
    await handle.executeUpdate('reject');
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined' } });
    const back = await service.execute('rollback', { model, version: 1, deployment });
    expect(back).toMatchObject({ outcome: 'rolledBack', champion: 1 });
  });
});

describe('a budget for three', () => {
  it('lets three of many simultaneous runs train; the others wait, and are declined by a person', async () => {
    const each = await estimateOf({});
    // The account's budget is everybody's: what this file spent before counts.
    await limit('*', 0, 'account');
    const before = (await standing('*', 'account')) as BudgetStanding;
    await limit('*', before.spentUsd + before.reservedUsd + 3.5 * each, 'account');
    // Nobody gets on with training before everybody has asked, or what one did not spend would do for a fourth.
    await service.setClock(1);
    const handles = await Promise.all(
      Array.from({ length: 12 }, () => service.start('fineTune', conversation(service.newModel()))),
    );
    const asked = await Promise.all(
      handles.map((handle) =>
        service.awaitStatus(handle, ({ awaiting, stage }) => awaiting !== null || stage === 'training'),
      ),
    );
    const waiting = handles.filter((_, index) => asked[index]?.awaiting);
    expect(waiting).toHaveLength(9);
    expect(asked.find(({ awaiting }) => awaiting)?.awaiting).toContain('the budget of the account is');
    await service.setClock(hourInASecond);
    for (const handle of waiting) await handle.executeUpdate('reject', { args: [{ by: 'Ada' }] });
    const endings = await Promise.all(handles.map((handle) => service.endOf(handle)));
    const outcomes = endings.map((ending) => ending.closed === 'completed' && ending.result.outcome);
    expect(outcomes.filter((outcome) => outcome === 'promoted')).toHaveLength(3);
    expect(outcomes.filter((outcome) => outcome === 'declined')).toHaveLength(9);
    await service.dependencies.budgets.remove('account', '*');
  });
});

describe.concurrent('a commitment', () => {
  it('is bought only when a person approves its whole price, whatever the budgets say', async () => {
    const model = service.newModel();
    const spec = conversation(model, provisioned({ commitmentDuration: 'OneMonth' }));
    const handle = await service.start('fineTune', spec);
    const { awaiting } = await untilAsked(handle);
    expect(awaiting).toMatch(/this buys a commitment of \$38688\.00 that cannot be ended before its term$/);
    expect(await bought(model)).toEqual([]);
    await handle.executeUpdate('reject');
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined', spendUsd: 0 } });
  });

  it('is booked with its whole term once it is bought', async () => {
    const model = service.newModel();
    await limit(model, 50_000);
    const { deployment } = provisioned({ commitmentDuration: 'OneMonth' });
    // Nobody is asked for what training alone does not buy.
    await service.execute('train', conversation(model, { deployment, budgetUsd: 1 }));
    const handle = await service.start('deploy', { model, deployment });
    const { awaiting } = await untilAsked(handle);
    expect(awaiting).toContain('$38688.00');
    expect((await standing(model))?.reservedUsd).toBe(38_688);
    await handle.executeUpdate('approve', { args: [{ by: 'Ada' }] });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'deployed', spendUsd: 38_688 } });
    const after = await standing(model);
    expect(after?.reservedUsd).toBe(0);
    expect(after?.spentUsd).toBeGreaterThanOrEqual(38_688);
  });
});

async function firstOf(schedule: { describe(): Promise<{ info: { recentActions: unknown[] } }> }) {
  for (;;) {
    const { recentActions } = (await schedule.describe()).info;
    const [first] = recentActions as { action: { workflow: { workflowId: string } } }[];
    if (first) return service.client.workflow.getHandle(first.action.workflow.workflowId);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
