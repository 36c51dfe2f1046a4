import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conversation } from '../support/run-specs.js';
import { runWorker, startService, type TestService } from '../support/service.js';

let service: TestService;
let stopSecondWorker: () => Promise<void>;
beforeAll(async () => {
  service = await startService({ environment: { ANNEAL_ACTIVITIES_PER_SECOND: '8' } });
  stopSecondWorker = await runWorker(service.dependencies, service.taskQueue);
});
afterAll(async () => {
  await stopSecondWorker();
  await service.stop();
});

describe('the rate of activities', () => {
  it('is held for all workers of a task queue together', async () => {
    const handles = await Promise.all(
      Array.from({ length: 3 }, () => service.start('fineTune', conversation(service.newModel()))),
    );
    await Promise.all(handles.map((handle) => service.endOf(handle)));
    const histories = await Promise.all(handles.map((handle) => handle.fetchHistory()));
    const startsMs = histories
      .flatMap(({ events }) => events ?? [])
      .filter((event) => event.activityTaskStartedEventAttributes)
      .map(({ eventTime }) => Number(eventTime?.seconds) * 1000 + Number(eventTime?.nanos) / 1e6);
    expect(startsMs.length).toBeGreaterThan(60);
    const seconds = (Math.max(...startsMs) - Math.min(...startsMs)) / 1000;
    // The server lets a second's worth pass at once.
    expect(startsMs.length).toBeLessThan(8 * (seconds + 2));
  });
});
