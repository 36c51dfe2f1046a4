import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 4 } });
});
afterAll(() => service.stop());

async function setFaults(faults: FaultScript['faults']): Promise<void> {
  const response = await fetch(`${service.endpoint}/_anneal/faults`, {
    method: 'PUT',
    body: JSON.stringify({ faults }),
  });
  expect(response.ok, await response.text()).toBe(true);
}

const jobsOf = async (model: string) =>
  (await service.ledger()).filter(
    ({ kind, action, tags }) =>
      kind === 'trainingJob' && action === 'create' && tags['anneal:model'] === model,
  );

describe('what somebody can mend is waited for, and goes on by itself', () => {
  it.each([
    ['accessDenied', /AccessDenied.*Grant the caller this permission/],
    ['expiredToken', /ExpiredToken.*Renew the credentials/],
    ['capacity', /quota/i],
  ] as const)('%s when the job is submitted: the run shows it', async (kind, said) => {
    const model = service.newModel();
    await setFaults([{ operation: 'CreateModelCustomizationJob', nth: 'always', fault: { kind } }]);
    const handle = await service.start('fineTune', conversation(model));
    const { waitingFor } = await service.awaitStatus(handle, (status) => status.waitingFor !== null);
    expect(waitingFor).toMatch(said);
    await setFaults([]);
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
    expect(await jobsOf(model)).toHaveLength(1);
    await expectInvariants(service, model);
  });

  it.each(['accessDenied', 'expiredToken', 'throttle'] as const)(
    '%s while the job trains: the job goes on, and so does the run',
    async (kind) => {
      const model = service.newModel();
      const handle = await service.start('fineTune', conversation(model));
      await service.awaitStatus(handle, ({ job }) => job?.id != null);
      await setFaults([{ operation: 'Bedrock:*', nth: 'always', fault: { kind } }]);
      await vi.waitFor(
        async () => {
          const { raw } = await handle.describe();
          const pending = raw.pendingActivities ?? [];
          expect(pending.map(({ lastFailure }) => lastFailure?.message).join()).toMatch(/goes on by itself/);
        },
        { timeout: 20_000, interval: 200 },
      );
      await setFaults([]);
      expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
      expect(await jobsOf(model)).toHaveLength(1);
      await expectInvariants(service, model);
    },
  );

  it('a run that waits for a permission can be cancelled, and buys nothing', async () => {
    const model = service.newModel();
    await setFaults([
      { operation: 'CreateModelCustomizationJob', nth: 'always', fault: { kind: 'accessDenied' } },
    ]);
    const handle = await service.start('fineTune', conversation(model));
    await service.awaitStatus(handle, (status) => status.waitingFor !== null);
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    await setFaults([]);
    expect(await jobsOf(model)).toEqual([]);
  });

  it('a file that may not be read is told at once: nothing has been bought', async () => {
    await setFaults([{ operation: 'S3:*', nth: 'always', fault: { kind: 'accessDenied' } }]);
    const end = await service.run('fineTune', conversation(service.newModel()));
    await setFaults([]);
    expect(end).toMatchObject({ closed: 'failed', type: 'ProviderRejected' });
  });
});
