import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, stylist } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

describe('fineTune', () => {
  it('takes a model from data to champion and leaves only the champion billing', async () => {
    const model = service.newModel();
    const result = await service.execute('fineTune', stylist(model));
    expect(result).toMatchObject({
      outcome: 'promoted',
      verdict: 'passed',
      version: 1,
      champion: 1,
      previousChampion: null,
    });
    const live = await service.live();
    expect(live.map(({ kind }) => kind).sort()).toEqual(['customModel', 'deployment']);
    await expectInvariants(service, model);
  });

  it('conversation', async () => {
    const model = service.newModel();
    const result = await service.execute('fineTune', conversation(model));
    expect(result).toMatchObject({ outcome: 'promoted' });
    await expectInvariants(service, model);
  });
});
