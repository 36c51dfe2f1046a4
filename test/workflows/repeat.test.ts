import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { leaseWorkflowId, modelLock } from '../../src/domain/lease.js';
import { leaseQuery } from '../../src/workflows/messages.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const bought = async (model: string) =>
  (await service.ledger()).filter(({ name, action }) => name.startsWith(model) && action === 'create');

describe.concurrent('fineTune, started again for the same model', () => {
  it('ends as unchanged without a new job or spend, and trains again only by force', async () => {
    const model = service.newModel();
    await service.execute('fineTune', conversation(model));
    const before = await bought(model);
    const again = await service.execute('fineTune', conversation(model));
    expect(again).toMatchObject({ outcome: 'unchanged', champion: 1, version: null, spendUsd: 0, spend: [] });
    expect(again.next).toContain('"force":true');
    expect(again.billing.length).toBeGreaterThan(0);
    expect(await bought(model)).toEqual(before);
    await expectInvariants(service, model);

    const forced = await service.execute('fineTune', conversation(model, { force: true }));
    expect(forced).toMatchObject({ outcome: 'promoted', version: 2, champion: 2, previousChampion: 1 });
    await expectInvariants(service, model);
  });

  it('trains again when a hyperparameter differs', async () => {
    const model = service.newModel();
    await service.execute('fineTune', conversation(model));
    const training = { hyperparameters: { epochCount: 1 } };
    const other = await service.execute('fineTune', conversation(model, { training }));
    expect(other).toMatchObject({ outcome: 'promoted', version: 2 });
  });

  it('is refused under another ID with the name of the run that holds the model, and works once that ended', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model, { approval: 'before-training' }));
    await service.awaitStatus(first, ({ awaiting }) => awaiting !== null);
    const ending = await service.run('fineTune', conversation(model));
    expect(ending).toMatchObject({ closed: 'failed', type: 'Conflict' });
    expect((ending as { message: string }).message).toContain(`held by workflow ${first.workflowId}`);
    const { awaiting } = await service.awaitStatus(first, () => true);
    expect(awaiting).not.toBeNull();

    await first.executeUpdate('reject');
    await service.endOf(first);
    expect(await service.execute('fineTune', conversation(model))).toMatchObject({ outcome: 'promoted' });
  });

  it('is refused by the server under the same ID while the first runs', async () => {
    const model = service.newModel();
    const spec = conversation(model, { approval: 'before-training' });
    const first = await service.start('fineTune', spec);
    await expect(service.start('fineTune', spec, first.workflowId)).rejects.toThrow(
      WorkflowExecutionAlreadyStartedError,
    );
    await first.cancel();
    await service.endOf(first);
  });

  it('gets the model soon after its holder was terminated', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model, { approval: 'before-training' }));
    await service.awaitStatus(first, ({ awaiting }) => awaiting !== null);
    await first.terminate('by a test');
    expect(await service.execute('fineTune', conversation(model))).toMatchObject({ outcome: 'promoted' });
    await expectInvariants(service, model);
  });

  it('leaves the model free after a failure', async () => {
    const model = service.newModel();
    await service.run(
      'fineTune',
      conversation(model, { budgetUsd: 0, deadlines: { approvalHours: 0.5 / 3600 } }),
    );
    const lock = service.client.workflow.getHandle(leaseWorkflowId(modelLock(model)));
    await vi.waitFor(async () => expect((await lock.query(leaseQuery)).state).toBe('released'), 60_000);
  });
});
