import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';
import { spawnWorker, type WorkerProcess } from '../support/worker-process.js';

let service: TestService;
let worker: WorkerProcess;
beforeAll(async () => {
  service = await startService({ worker: false });
  worker = await spawnWorker(service);
});
afterAll(async () => {
  await worker.kill();
  await service.stop();
});

const questions = 750;
/** Answers are stored in chunks of this size; those of an unfinished chunk are asked again. */
const chunk = 50;

describe('a worker killed with SIGKILL', () => {
  it('in the middle of training and of validation: another goes on, nothing is bought or asked twice', async () => {
    const model = service.newModel();
    const source = { kind: 'file', path: conversationsFile('thing', 2 * questions) };
    const dataset = { source, validationShare: 0.5 };
    const handle = await service.start(
      'fineTune',
      conversation(model, { dataset, validation: { samples: questions } }),
    );
    await service.awaitStatus(handle, ({ job }) => Boolean(job?.id));
    await worker.kill();
    worker = await spawnWorker(service);

    const { deployment } = await service.awaitStatus(handle, ({ stage }) => stage === 'validation');
    const requests = async () =>
      (await service.state()).resources.find(({ resource }) => resource === deployment?.id)?.requests ?? 0;
    await vi.waitFor(async () => expect(await requests()).toBeGreaterThan(3 * chunk), {
      timeout: 60_000,
      interval: 10,
    });
    await worker.kill();
    const asked = await requests();
    expect(asked, 'questions asked when the worker was killed').toBeLessThan(questions);
    worker = await spawnWorker(service);

    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted', champion: 1 } });
    // One question proves that the deployment answers.
    expect(await requests()).toBeLessThanOrEqual(questions + chunk + 1);
    const created = (await service.ledger()).filter(
      ({ action, tags }) => action === 'create' && tags['anneal:run'],
    );
    expect(created.map(({ kind }) => kind)).toEqual(['trainingJob', 'customModel', 'deployment']);
    await expectInvariants(service, model);
  });
});
