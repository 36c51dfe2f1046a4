import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 1, updateMinutes: 120 } });
});
afterAll(() => service.stop());

const provisioned = (model: string, subject: string, more: object = {}) =>
  conversation(model, {
    dataset: { source: { kind: 'file', path: conversationsFile(subject) } },
    deployment: { target: 'bedrock-provisioned' },
    budgetUsd: 500,
    ...more,
  });

const throughputsOf = async (model: string) =>
  (await service.ledger()).filter(
    ({ kind, action, tags }) =>
      kind === 'provisionedThroughput' && action === 'create' && tags['anneal:model'] === model,
  );

async function setFaults(faults: FaultScript['faults']): Promise<void> {
  await fetch(`${service.endpoint}/_anneal/faults`, { method: 'PUT', body: JSON.stringify({ faults }) });
}

/** What the model's only throughput serves now, by the cloud. */
async function servedBy(model: string): Promise<string | null> {
  const champion = await service.dependencies.registry.champion(model);
  const target = service.dependencies.providers.targets.get('bedrock-provisioned');
  const described = champion?.deployment && (await target?.describe(champion.deployment));
  return described?.modelId ?? null;
}

describe('a champion on provisioned throughput', () => {
  it('is replaced in place, and rolled back in place: one throughput is ever bought', async () => {
    const model = service.newModel();
    await service.execute('fineTune', provisioned(model, 'item'));
    const second = await service.execute('fineTune', provisioned(model, 'thing'));
    expect(second).toMatchObject({ outcome: 'promoted', champion: 2, previousChampion: 1 });
    const [one, two] = await service.dependencies.registry.versions(model);
    expect(one?.deployment).toBeNull();
    expect(two?.deployment?.target).toBe('bedrock-provisioned');
    expect(await servedBy(model)).toBe(two?.modelId);
    await expectInvariants(service, model);

    expect(await service.execute('rollback', { model })).toMatchObject({
      outcome: 'rolledBack',
      champion: 1,
    });
    expect(await servedBy(model)).toBe(one?.modelId);
    expect(await throughputsOf(model)).toHaveLength(1);
    await expectInvariants(service, model);
  });

  it('is put back when the throughput does not take the candidate over', async () => {
    const model = service.newModel();
    await service.execute('fineTune', provisioned(model, 'item'));
    await setFaults([
      { operation: 'UpdateProvisionedModelThroughput', nth: 1, fault: { kind: 'deploymentFailed' } },
    ]);
    const result = await service.execute('fineTune', provisioned(model, 'thing'));
    await setFaults([]);
    expect(result).toMatchObject({ outcome: 'rolledBack', champion: 1, version: 2 });
    const [one] = await service.dependencies.registry.versions(model);
    expect(await servedBy(model)).toBe(one?.modelId);
    await expectInvariants(service, model);
  });

  it('is put back without help when the run is terminated in the middle of the swap', async () => {
    const model = service.newModel();
    await service.execute('fineTune', provisioned(model, 'item'));
    const handle = await service.start('fineTune', provisioned(model, 'thing'));
    await vi.waitFor(
      async () => {
        const { raw } = await handle.describe();
        const [pending] = raw.pendingActivities ?? [];
        expect(pending?.activityType?.name).toBe('awaitSwap');
      },
      { timeout: 60_000, interval: 50 },
    );
    await handle.terminate('by a test');
    const [one] = await service.dependencies.registry.versions(model);
    await vi.waitFor(async () => expect(await servedBy(model)).toBe(one?.modelId), {
      timeout: 60_000,
      interval: 200,
    });
    await vi.waitFor(() => expectInvariants(service, model), { timeout: 60_000, interval: 500 });
    expect(await throughputsOf(model)).toHaveLength(1);
  });

  it('keeps serving when the run is cancelled in the middle of the swap', async () => {
    const model = service.newModel();
    await service.execute('fineTune', provisioned(model, 'item'));
    const handle = await service.start('fineTune', provisioned(model, 'thing'));
    await service.awaitStatus(handle, ({ stage }) => stage === 'promotion');
    await handle.cancel();
    await service.endOf(handle);
    const champion = await service.dependencies.registry.champion(model);
    expect(await servedBy(model)).toBe(champion?.modelId);
    await expectInvariants(service, model);
  });
});
