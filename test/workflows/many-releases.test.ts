import { afterAll, beforeAll, expect, it } from 'vitest';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** More than a worker does at once: what they wait for must find room beside them. */
const runs = 60;

it('more runs than a worker has room for give back what they hold at the same moment', async () => {
  const handles = await Promise.all(
    Array.from({ length: runs }, () =>
      service.start('fineTune', conversation(service.newModel(), { approval: 'before-training' })),
    ),
  );
  for (const handle of handles) await service.awaitStatus(handle, ({ awaiting }) => awaiting !== null);
  await Promise.all(handles.map((handle) => handle.executeUpdate('reject')));
  const endings = await Promise.all(handles.map((handle) => service.endOf(handle)));
  for (const ending of endings) {
    expect(ending).toMatchObject({ closed: 'completed', result: { outcome: 'declined' } });
  }
});
