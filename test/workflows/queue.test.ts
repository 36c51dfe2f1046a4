import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    sandbox: { trainingHours: 8, quotas: { scheduledCustomizationJobs: 2, deploymentsInProgress: 20 } },
  });
});
afterAll(() => service.stop());

describe('more jobs than the quota has room for', () => {
  it('wait in a line that the run shows, and all finish in the order of asking', async () => {
    const models = Array.from({ length: 6 }, () => service.newModel());
    const runs = [];
    for (const model of models) {
      const handle = await service.start('fineTune', conversation(model));
      await service.awaitStatus(handle, ({ job, waitingFor }) => job?.id != null || waitingFor !== null);
      runs.push(handle);
    }
    const last = await service.awaitStatus(
      runs[5] as (typeof runs)[0],
      ({ waitingFor }) => waitingFor !== null,
    );
    expect(last.waitingFor).toMatch(/waits its turn for bedrock\/training-job: \d before it/);
    const ends = await Promise.all(runs.map((handle) => service.endOf(handle)));
    expect(ends.map((end) => end.closed === 'completed' && end.result.outcome)).toEqual(
      models.map(() => 'promoted'),
    );
    const created = (await service.ledger()).filter(
      ({ kind, action }) => kind === 'trainingJob' && action === 'create',
    );
    expect(created.map(({ tags }) => tags['anneal:model'])).toEqual(models);
    for (const model of models) await expectInvariants(service, model);
  });

  it('one that is cancelled in line buys nothing and lets the next one pass', async () => {
    const [first, second, waiting, next] = Array.from({ length: 4 }, () => service.newModel());
    const busy = [];
    for (const model of [first, second]) {
      const handle = await service.start('fineTune', conversation(model as string));
      await service.awaitStatus(handle, ({ job }) => job?.id != null);
      busy.push(handle);
    }
    const cancelled = await service.start('fineTune', conversation(waiting as string));
    await service.awaitStatus(cancelled, ({ waitingFor }) => waitingFor !== null);
    const passing = await service.start('fineTune', conversation(next as string));
    await service.awaitStatus(passing, ({ waitingFor }) => waitingFor !== null);
    await cancelled.cancel();
    expect(await service.endOf(cancelled)).toMatchObject({ closed: 'cancelled' });
    expect(await service.endOf(passing)).toMatchObject({ result: { outcome: 'promoted' } });
    const jobsOf = (await service.ledger()).filter(
      ({ kind, tags }) => kind === 'trainingJob' && tags['anneal:model'] === waiting,
    );
    expect(jobsOf).toEqual([]);
    await Promise.all(busy.map((handle) => service.endOf(handle)));
  });

  it('one that is terminated in line lets the next one pass', async () => {
    const [first, second, gone, next] = Array.from({ length: 4 }, () => service.newModel());
    for (const model of [first, second]) {
      const handle = await service.start('fineTune', conversation(model as string));
      await service.awaitStatus(handle, ({ job }) => job?.id != null);
    }
    const terminated = await service.start('fineTune', conversation(gone as string));
    await service.awaitStatus(terminated, ({ waitingFor }) => waitingFor !== null);
    const passing = await service.start('fineTune', conversation(next as string));
    await service.awaitStatus(passing, ({ waitingFor }) => waitingFor !== null);
    await terminated.terminate('by a test');
    expect(await service.endOf(passing)).toMatchObject({ result: { outcome: 'promoted' } });
    await vi.waitFor(() => expectInvariants(service, gone as string), { timeout: 30_000, interval: 200 });
  });

  it('fails typed when there is no room until the deadline, and leaves nothing', async () => {
    const [first, second, late] = Array.from({ length: 3 }, () => service.newModel());
    for (const model of [first, second]) {
      const handle = await service.start('fineTune', conversation(model as string));
      await service.awaitStatus(handle, ({ job }) => job?.id != null);
    }
    const end = await service.run(
      'fineTune',
      conversation(late as string, { deadlines: { purchaseHours: 0.0003 } }),
    );
    expect(end).toMatchObject({ closed: 'failed', type: 'ProviderRejected' });
    expect(end).toMatchObject({
      message: expect.stringMatching(/within deadlines.purchaseHours: .*(quota|turn)/is),
    });
    await expectInvariants(service, late as string);
  });
});
