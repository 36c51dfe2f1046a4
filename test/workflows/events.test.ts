import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

/** Two of the same, but for how often they look; looks are counted for a whole cloud. */
let seldom: TestService;
let often: TestService;
beforeAll(async () => {
  const sandbox = { trainingHours: 12 };
  [seldom, often] = await Promise.all([
    startService({ sandbox, pollSeconds: 3 }),
    startService({ sandbox, pollSeconds: 0.03 }),
  ]);
});
afterAll(() => Promise.all([seldom.stop(), often.stop()]));

async function lifecycle(service: TestService) {
  const handle = await service.start('fineTune', conversation(service.newModel()));
  expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
  const { events } = await handle.fetchHistory();
  const { operations } = await service.metrics();
  const looks = operations['bedrock:GetModelCustomizationJob']?.count ?? 0;
  return { events: events?.length ?? 0, looks };
}

describe('waiting', () => {
  it('costs the same few events whether a run looks at its job some five times or a hundred', async () => {
    const [few, many] = await Promise.all([lifecycle(seldom), lifecycle(often)]);
    expect(few.looks).toBeLessThan(12);
    expect(many.looks).toBeGreaterThan(95);
    expect(many.events).toBe(few.events);
    expect(many.events).toBeLessThan(150);
  });
});
