import { GetModelCustomizationJobCommand, StopModelCustomizationJobCommand } from '@aws-sdk/client-bedrock';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { stopMinutes: 0.01 } });
});
afterAll(() => service.stop());

/** A run whose job stays in training: at this clock it takes an hour. */
async function startInTraining(more: object = {}): Promise<{ model: string; handle: WorkflowHandle }> {
  const model = service.newModel();
  const handle = await service.start('fineTune', conversation(model, more));
  await service.awaitStatus(handle, ({ job }) => job?.id !== undefined);
  return { model, handle };
}

async function expectNoModel(model: string): Promise<void> {
  const ledger = (await service.ledger()).filter(({ name }) => name.startsWith(model));
  expect(ledger.filter(({ kind, action }) => kind === 'trainingJob' && action === 'create')).toHaveLength(1);
  expect(ledger.filter(({ kind }) => kind !== 'trainingJob')).toEqual([]);
  expect(await service.dependencies.registry.versions(model)).toEqual([]);
  await expectInvariants(service, model);
}

describe('the training stage of fineTune', () => {
  it('fails with the reason of the provider when the data was broken after it was checked', async () => {
    const model = service.newModel();
    const handle = await service.start('fineTune', conversation(model, { approval: 'before-training' }));
    const { dataset } = await service.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
    const { objects } = service.dependencies;
    const manifest = JSON.parse((await objects.getText(dataset?.uri ?? '')) ?? '') as {
      training: { uri: string };
    };
    const text = (await objects.getText(manifest.training.uri)) ?? '';
    await objects.put(
      manifest.training.uri,
      text.replace('is blue.', 'is blue. User: really?'),
      'application/x-ndjson',
    );
    await handle.executeUpdate('approve');

    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed', type: 'TrainingFailed' });
    expect((ending as { message: string }).message).toMatch(/reserved token 'User:'/);
    expect((await handle.describe()).memo).toMatchObject({ spendUsd: 0 });
    await expectNoModel(model);
  });
});

describe.concurrent('the training stage of fineTune, while the job runs', () => {
  beforeAll(() => service.setClock(1));

  it('fails when somebody else stops the job', async () => {
    const { model, handle } = await startInTraining();
    const { job } = await service.awaitStatus(handle, () => true);
    await service.stranger.bedrock.send(
      new StopModelCustomizationJobCommand({ jobIdentifier: job?.id ?? '' }),
    );
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed', type: 'TrainingFailed' });
    expect((ending as { message: string }).message).toMatch(/stopped by somebody else/);
    await expectNoModel(model);
  });

  it('stops its job when it is cancelled, and closes as Canceled with its undo report', async () => {
    const { model, handle } = await startInTraining();
    const { job } = await service.awaitStatus(handle, () => true);
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    const command = new GetModelCustomizationJobCommand({ jobIdentifier: job?.id ?? '' });
    expect(await service.stranger.bedrock.send(command)).toMatchObject({ status: 'Stopped' });
    const { memo } = await handle.describe();
    expect(memo?.undone).toEqual([{ what: `delete training-job ${job?.name}`, problem: null }]);
    await expectNoModel(model);
  });

  it('fails and stops its job when the deadline passes', async () => {
    const { model, handle } = await startInTraining({ deadlines: { trainingHours: 1.5 / 3600 } });
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed', type: 'TrainingFailed' });
    expect((ending as { message: string }).message).toMatch(/deadline/);
    await expectNoModel(model);
  });

  it('refuses hyperparameters that the provider does not take, before anything is bought', async () => {
    const model = service.newModel();
    const ending = await service.run(
      'fineTune',
      conversation(model, { training: { hyperparameters: { epochCount: 99 } } }),
    );
    expect(ending).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
    expect((ending as { message: string }).message).toContain('epochCount');
  });
});
