import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function refusal(handle: WorkflowHandle, update: string, input: unknown): Promise<ApplicationFailure> {
  const error = await handle.executeUpdate(update, { args: [input] }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  const { cause } = error as WorkflowUpdateFailedError;
  expect(cause).toBeInstanceOf(ApplicationFailure);
  return cause as ApplicationFailure;
}

async function startAndAwaitQuestion(approval: string, more: object = {}) {
  const model = service.newModel();
  const handle = await service.start('fineTune', conversation(model, { approval, ...more }));
  const status = await service.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
  return { model, handle, status };
}

describe.concurrent('approval before training', () => {
  it('shows the question with the command to type, and trains once a person approves', async () => {
    const { model, handle, status } = await startAndAwaitQuestion('before-training');
    expect(status).toMatchObject({ stage: 'approval', awaiting: expect.stringMatching(/16 records.*\$/) });
    expect(status.next).toContain(`update execute --workflow-id ${handle.workflowId} --name approve`);
    expect((await service.ledger()).filter(({ name }) => name.startsWith(model))).toEqual([]);

    const approved = await handle.executeUpdate('approve', { args: [{ by: 'Ada', notes: 'fine' }] });
    expect(approved).toMatchObject({ model });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
    const { stages } = await service.awaitStatus(handle, () => true);
    expect(stages.find(({ name }) => name === 'approval')).toMatchObject({ note: 'approved by Ada: fine' });
    await expectInvariants(service, model);
  });

  it('ends as declined, with nothing bought, once a person rejects; a later approval is refused', async () => {
    const { model, handle } = await startAndAwaitQuestion('before-training');
    await handle.executeUpdate('reject', { args: [{ by: 'Ada' }] });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined', spendUsd: 0 } });
    expect((await service.ledger()).filter(({ name }) => name.startsWith(model))).toEqual([]);
    const late = await handle
      .executeUpdate('approve', { args: [{ by: 'Bob' }] })
      .catch((e: Error) => e.message);
    expect(late).toMatch(/completed|not found/i);
    await expectInvariants(service, model);
  });

  it('declines by default when nobody answers in time', async () => {
    const { handle } = await startAndAwaitQuestion('before-training', {
      deadlines: { approvalHours: 0.8 / 3600 },
    });
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'declined', spendUsd: 0 } });
    const { stages } = await service.awaitStatus(handle, () => true);
    expect(stages.find(({ name }) => name === 'approval')?.note).toMatch(
      /nobody answered.*default is to reject/,
    );
  });

  it('is cancelled while it waits', async () => {
    const { model, handle } = await startAndAwaitQuestion('before-training');
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    await expectInvariants(service, model);
  });

  it('refuses bad decisions and keeps waiting', async () => {
    const { handle } = await startAndAwaitQuestion('before-training');
    for (const input of ['Ada', 7, ['Ada'], { by: 7 }, { who: 'Ada' }, { by: { name: 'Ada' } }]) {
      const failure = await refusal(handle, 'approve', input);
      expect(failure.type, JSON.stringify(input)).toBe('InvalidInput');
      expect(failure.message).toContain('{"by": "your name", "notes": "why"}');
    }
    const { awaiting } = await service.awaitStatus(handle, () => true);
    expect(awaiting).not.toBeNull();
    await handle.executeUpdate('reject');
    await service.endOf(handle);
  });
});

describe.concurrent('approval before promotion', () => {
  it('refuses an approval that comes too early, and a second one', async () => {
    const model = service.newModel();
    const handle = await service.start('fineTune', conversation(model, { approval: 'before-promotion' }));
    await service.awaitStatus(handle, ({ stage }) => stage === 'training');
    const early = await refusal(handle, 'approve', { by: 'Ada' });
    expect(early.type).toBe('Conflict');
    expect(early.message).toMatch(/nothing waits for approval now \(stage: \w+\)/);

    await service.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
    const decisions = await Promise.allSettled([
      handle.executeUpdate('approve', { args: [{ by: 'Ada' }] }),
      handle.executeUpdate('approve', { args: [{ by: 'Bob' }] }),
    ]);
    expect(decisions.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
    await expectInvariants(service, model);
  });

  it('withdraws the candidate when a person says no, and leaves nothing billing', async () => {
    const { model, handle } = await startAndAwaitQuestion('before-promotion');
    expect((await service.live()).filter(({ name }) => name.startsWith(model))).toHaveLength(2);
    await handle.executeUpdate('reject', { args: [{ by: 'Ada', notes: 'not this week' }] });
    expect(await service.endOf(handle)).toMatchObject({
      result: { outcome: 'declined', verdict: 'passed', billing: [], champion: null },
    });
    expect((await service.live()).filter(({ name }) => name.startsWith(model))).toEqual([]);
    const [version] = await service.dependencies.registry.versions(model);
    expect(version).toMatchObject({ status: 'rejected', deployment: null });
    await expectInvariants(service, model);
  });
});
