import { DeleteCustomModelDeploymentCommand } from '@aws-sdk/client-bedrock';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** 750 conversations are held out and asked. */
function manyQuestions(model: string, more: object = {}) {
  const source = { kind: 'file', path: conversationsFile('thing', 1500) };
  const dataset = { source, validationShare: 0.5 };
  return conversation(model, { dataset, validation: { samples: 750 }, ...more });
}

/** A run with more questions than it can ask in a moment, caught while it asks them. */
async function startInValidation(model: string): Promise<{ handle: WorkflowHandle; deployment: string }> {
  const handle = await service.start('fineTune', manyQuestions(model));
  const status = await service.awaitStatus(handle, ({ stage }) => stage === 'validation');
  const id = status.deployment?.id ?? '';
  await vi.waitFor(async () => {
    const { resources } = await service.state();
    expect(resources.find(({ resource }) => resource === id)?.requests).toBeGreaterThan(60);
  }, 60_000);
  return { handle, deployment: id };
}

async function expectNothingLive(model: string): Promise<void> {
  expect((await service.live()).filter(({ name }) => name.startsWith(model))).toEqual([]);
  await expectInvariants(service, model);
}

describe.concurrent('the validation stage of fineTune, interrupted', () => {
  it('gives everything back when it is cancelled in the middle', async () => {
    const model = service.newModel();
    const { handle } = await startInValidation(model);
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    await expectNothingLive(model);
  });

  it('fails, rather than judging, when somebody deletes the deployment in the middle', async () => {
    const model = service.newModel();
    const { handle, deployment } = await startInValidation(model);
    const command = new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier: deployment });
    await service.stranger.bedrock.send(command);
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed' });
    const [version] = await service.dependencies.registry.versions(model);
    expect(version).toMatchObject({ status: 'archived', verdict: null });
    await expectNothingLive(model);
  });

  it('fails when the deadline passes', async () => {
    const model = service.newModel();
    const deadlines = { validationMinutes: 0.5 / 60 };
    const ending = await service.run('fineTune', manyQuestions(model, { deadlines }));
    expect(ending).toMatchObject({ closed: 'failed', type: 'ValidationFailed' });
    expect((ending as { message: string }).message).toMatch(/deadline/);
    await expectNothingLive(model);
  });
});
