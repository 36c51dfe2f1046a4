import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, stylist } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

describe.concurrent('fineTune', () => {
  it('takes a model from data to champion and leaves only the champion billing', async () => {
    const model = service.newModel();
    const result = await service.execute('fineTune', stylist(model));
    expect(result).toMatchObject({
      outcome: 'promoted',
      verdict: 'passed',
      version: 1,
      champion: 1,
      previousChampion: null,
      cloud: 'sandbox',
    });
    expect(result.dataset?.records).toBe(400);
    expect(result.billing.map(({ owner }) => owner)).toEqual(['champion', 'champion']);
    expect(result.spendUsd).toBeGreaterThan(0);
    const live = (await service.live()).filter(({ name }) => name.startsWith(model));
    expect(live.map(({ kind }) => kind).sort()).toEqual(['customModel', 'deployment']);
    await expectInvariants(service, model);
  });

  it('promotes on provisioned throughput, and what a rollback may need keeps no hourly deployment', async () => {
    const model = service.newModel();
    const deployment = { target: 'bedrock-provisioned' };
    const spec = conversation(model, { deployment, budgetUsd: 200 });
    await service.execute('fineTune', spec);
    const second = await service.execute('fineTune', { ...spec, force: true });
    expect(second).toMatchObject({ outcome: 'promoted', version: 2, champion: 2, previousChampion: 1 });
    expect(second.billing.map(({ resource, owner }) => [resource.split(' ')[0], owner])).toEqual([
      ['model', 'previous champion'],
      ['model', 'champion'],
      ['deployment', 'champion'],
    ]);
    await expectInvariants(service, model);

    const third = await service.execute('fineTune', { ...spec, force: true });
    expect(third).toMatchObject({ champion: 3, previousChampion: 2 });
    const versions = await service.dependencies.registry.versions(model);
    expect(versions.map(({ status }) => status)).toEqual(['archived', 'previous', 'champion']);
    await expectInvariants(service, model);
  });
});
