import {
  DeleteCustomModelDeploymentCommand,
  DeleteProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
/** A cloud account without room for any deployment. */
let crowded: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { deploymentMinutes: 480, throughputMinutes: 480 } });
  const quotas = { deploymentsInProgress: 0, modelUnitsWithoutCommitment: 0 };
  crowded = await startService({ sandbox: { quotas } });
});
afterAll(() => Promise.all([service.stop(), crowded.stop()]));

const targets = ['bedrock-on-demand', 'bedrock-provisioned'] as const;
const kinds = { 'bedrock-on-demand': 'deployment', 'bedrock-provisioned': 'provisionedThroughput' };

/** Deployments take 8 s here, so that a test can do something while they are created. */
async function startInDeployment(target: string, more: object = {}) {
  const model = service.newModel();
  const spec = conversation(model, { deployment: { target }, budgetUsd: 200, ...more });
  const handle = await service.start('fineTune', spec);
  const status = await service.awaitStatus(handle, ({ deployment }) => Boolean(deployment?.id));
  return { model, handle, id: status.deployment?.id ?? '' };
}

/** After a run that did not make it: one version, archived, nothing of it left. */
async function expectGivenBack(where: TestService, model: string, handle: WorkflowHandle): Promise<void> {
  expect((await where.live()).filter(({ name }) => name.startsWith(model))).toEqual([]);
  const versions = await where.dependencies.registry.versions(model);
  expect(versions).toMatchObject([{ version: 1, status: 'archived', deployment: null }]);
  const undone = (await handle.describe()).memo?.undone as { problem: string | null }[];
  expect(undone.map(({ problem }) => problem)).toEqual(undone.map(() => null));
  await expectInvariants(where, model);
}

describe.concurrent.each(targets)('the deployment stage of fineTune on %s', (target) => {
  it('goes on to promotion once the deployment answers', async () => {
    const { model, handle } = await startInDeployment(target);
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted', champion: 1 } });
    await service.execute('teardown', { model, version: 1, force: true });
    await expectInvariants(service, model);
  });

  it('fails when somebody deletes the deployment while it is created', async () => {
    const { model, handle, id } = await startInDeployment(target);
    const { bedrock } = service.stranger;
    if (target === 'bedrock-on-demand') {
      await bedrock.send(new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier: id }));
    } else {
      await bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId: id }));
    }
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed', type: 'DeploymentFailed' });
    expect((ending as { message: string }).message).toMatch(/-d1 is gone; somebody deleted it/);
    await expectGivenBack(service, model, handle);
  });

  it('deletes deployment, model and files when it is cancelled while creating', async () => {
    const { model, handle } = await startInDeployment(target);
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    await expectGivenBack(service, model, handle);
    const deleted = (await service.ledger()).filter(
      ({ name, action }) => name.startsWith(model) && action === 'delete',
    );
    expect(deleted.map(({ kind }) => kind)).toEqual([kinds[target], 'customModel']);
    const { objects, bucket } = service.dependencies;
    expect(await objects.list(`s3://${bucket}/models/${model}/jobs/`)).toEqual([]);
    const { spendUsd } = (await handle.describe()).memo as { spendUsd: number };
    expect(spendUsd).toBeGreaterThan(target === 'bedrock-provisioned' ? 1 : 0);
  });

  it('fails and gives everything back when the deadline passes', async () => {
    const { model, handle } = await startInDeployment(target, { deadlines: { deploymentMinutes: 1 / 60 } });
    const ending = await service.endOf(handle);
    expect(ending).toMatchObject({ closed: 'failed', type: 'DeploymentFailed' });
    expect((ending as { message: string }).message).toMatch(/deadline/);
    await expectGivenBack(service, model, handle);
  });

  it('waits with the quota and the remedy when the account has no room, and can be cancelled', async () => {
    const model = crowded.newModel();
    const spec = conversation(model, { deployment: { target }, budgetUsd: 200 });
    const handle = await crowded.start('fineTune', spec);
    const { waitingFor } = await crowded.awaitStatus(handle, (status) => status.waitingFor !== null);
    expect(waitingFor).toMatch(/Quota.*once some of the quota is free|waits its turn/);
    await handle.cancel();
    expect(await crowded.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    await expectGivenBack(crowded, model, handle);
  });
});
