import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** A stylist lifecycle that is small enough for a test and still passes its gate. */
const small = (model: string, more: object = {}) => ({
  recipe: 'stylist',
  model,
  dataset: { source: { kind: 'builder', records: 400 } },
  validation: { samples: 100 },
  ...more,
});

describe('fineTune', () => {
  it('takes a model from data to champion and leaves only the champion billing', async () => {
    const model = service.newModel();
    const result = await service.execute('fineTune', small(model));
    expect(result).toMatchObject({
      outcome: 'promoted',
      verdict: 'passed',
      version: 1,
      champion: 1,
      previousChampion: null,
    });
    const live = await service.live();
    expect(live.map(({ kind }) => kind).sort()).toEqual(['customModel', 'deployment']);
  });
});
