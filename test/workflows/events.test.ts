import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { conversation } from '../support/run-specs.js';
import { hourInASecond } from '../support/sandbox.js';
import { startService, type TestService } from '../support/service.js';

/** Two of the same, but for how often they look; looks are counted for a whole cloud. */
let seldom: TestService;
let often: TestService;
beforeAll(async () => {
  const sandbox = { trainingHours: 5 };
  [seldom, often] = await Promise.all([
    startService({ sandbox, pollSeconds: 2 }),
    startService({ sandbox, pollSeconds: 0.03 }),
  ]);
});
afterAll(() => Promise.all([seldom.stop(), often.stop()]));

async function looks(service: TestService): Promise<number> {
  return (await service.metrics()).operations['bedrock:GetModelCustomizationJob']?.count ?? 0;
}

/** Runs a lifecycle whose job ends soon after the run has looked at it so many times. */
async function lifecycle(service: TestService, wantedLooks: number) {
  await service.setClock(1);
  const handle = await service.start('fineTune', conversation(service.newModel()));
  await vi.waitFor(async () => expect(await looks(service)).toBeGreaterThanOrEqual(wantedLooks), {
    timeout: 120_000,
    interval: 100,
  });
  await service.setClock(hourInASecond);
  expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
  const { events } = await handle.fetchHistory();
  return { events: events?.length ?? 0, looks: await looks(service) };
}

describe('waiting', () => {
  it('costs the same few events whether a run looks at its job some five times or a hundred', async () => {
    const [few, many] = await Promise.all([lifecycle(seldom, 3), lifecycle(often, 100)]);
    expect(few.looks).toBeLessThan(15);
    expect(many.looks).toBeGreaterThanOrEqual(100);
    expect(many.events).toBe(few.events);
    expect(many.events).toBeLessThan(150);
  });
});
