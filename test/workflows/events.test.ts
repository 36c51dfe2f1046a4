import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conversation } from '../support/run-specs.js';
import { hourInASecond } from '../support/sandbox.js';
import { startService, type TestService } from '../support/service.js';

/** Two of the same, because looks are counted for a whole cloud. */
let left: TestService;
let pushed: TestService;
beforeAll(async () => {
  const options = { sandbox: { trainingHours: 4 }, pollSeconds: 1 };
  [left, pushed] = await Promise.all([startService(options), startService(options)]);
});
afterAll(() => Promise.all([left.stop(), pushed.stop()]));

async function looks(service: TestService): Promise<number> {
  return (await service.metrics()).operations['bedrock:GetModelCustomizationJob']?.count ?? 0;
}

/** Has the run look at its job at once, again and again: a server retries no more than once a second by itself. */
async function pushToLook(service: TestService, handle: WorkflowHandle, times: number): Promise<void> {
  await service.awaitStatus(handle, ({ job }) => Boolean(job?.id));
  const before = await looks(service);
  while ((await looks(service)) < before + times) {
    await service.client.workflowService.resetActivity({
      namespace: 'default',
      execution: { workflowId: handle.workflowId },
      type: 'awaitTrainingJob',
    });
    await sleep(20);
  }
}

async function eventsOf(service: TestService, handle: WorkflowHandle): Promise<number> {
  expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted' } });
  return (await handle.fetchHistory()).events?.length ?? 0;
}

describe('waiting', () => {
  it('costs the same few events however often a run looks', async () => {
    const seldom = await left.start('fineTune', conversation(left.newModel()));
    const often = await pushed.start('fineTune', conversation(pushed.newModel()));
    await pushed.setClock(1);
    await pushToLook(pushed, often, 100);
    await pushed.setClock(hourInASecond);
    const [few, many] = await Promise.all([eventsOf(left, seldom), eventsOf(pushed, often)]);
    expect(await looks(left)).toBeLessThan(20);
    expect(await looks(pushed)).toBeGreaterThan(100);
    expect(many).toBe(few);
    expect(many).toBeLessThan(150);
  });
});
