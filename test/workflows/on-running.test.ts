import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 3 } });
});
afterAll(() => service.stop());

const other = (model: string, more: object) =>
  conversation(model, { dataset: { source: { kind: 'file', path: conversationsFile('other') } }, ...more });

describe.concurrent('a second run for a model that another works on', () => {
  it('waits for its end, says so, and then runs itself', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model));
    await service.awaitStatus(first, ({ job }) => job?.id != null);
    const second = await service.start('fineTune', other(model, { onRunning: 'wait' }));
    const { waitingFor } = await service.awaitStatus(second, (status) => status.waitingFor !== null);
    expect(waitingFor).toBe(`workflow ${first.workflowId} works on model ${model}`);
    expect(await service.endOf(first)).toMatchObject({ result: { outcome: 'promoted', version: 1 } });
    expect(await service.endOf(second)).toMatchObject({ result: { outcome: 'promoted', version: 2 } });
    await expectInvariants(service, model);
  });

  it('joins it and ends with its result, without a purchase of its own', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model));
    await service.awaitStatus(first, ({ job }) => job?.id != null);
    const second = await service.start('fineTune', other(model, { onRunning: 'join' }));
    const [one, two] = await Promise.all([service.endOf(first), service.endOf(second)]);
    expect(two).toEqual(one);
    expect(await service.dependencies.registry.versions(model)).toHaveLength(1);
    await expectInvariants(service, model);
  });

  it('is told when the run that it joined failed', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model));
    await service.awaitStatus(first, ({ job }) => job?.id != null);
    const second = await service.start('fineTune', other(model, { onRunning: 'join' }));
    await service.awaitStatus(second, (status) => status.waitingFor !== null);
    await first.cancel();
    expect(await service.endOf(second)).toMatchObject({
      closed: 'failed',
      type: 'Conflict',
      message: expect.stringContaining(first.workflowId),
    });
  });

  it('can be cancelled while it waits, and leaves the other alone', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model));
    await service.awaitStatus(first, ({ job }) => job?.id != null);
    const second = await service.start('fineTune', other(model, { onRunning: 'wait' }));
    await service.awaitStatus(second, (status) => status.waitingFor !== null);
    await second.cancel();
    expect(await service.endOf(second)).toMatchObject({ closed: 'cancelled' });
    expect(await service.endOf(first)).toMatchObject({ result: { outcome: 'promoted' } });
  });

  it('is refused unless it says otherwise, with the name of the other', async () => {
    const model = service.newModel();
    const first = await service.start('fineTune', conversation(model));
    await service.awaitStatus(first, ({ job }) => job?.id != null);
    expect(await service.run('fineTune', other(model, {}))).toMatchObject({
      closed: 'failed',
      type: 'Conflict',
      message: expect.stringContaining(`held by workflow ${first.workflowId}`),
    });
    expect(await service.endOf(first)).toMatchObject({ result: { outcome: 'promoted' } });
  });
});
