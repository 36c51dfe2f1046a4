import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LeaseHolder, type LeaseView, leaseWorkflowId } from '../../src/domain/lease.js';
import {
  acquireUpdate,
  extendUpdate,
  handOverUpdate,
  leaseQuery,
  releaseUpdate,
} from '../../src/workflows/messages.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    sandbox: { trainingHours: 4, deploymentMinutes: 240, throughputMinutes: 240, stopMinutes: 1 },
  });
});
afterAll(() => service.stop());

const liveOf = async (model: string) =>
  (await service.live()).filter(({ name }) => name.startsWith(`${model}-`)).map(({ kind }) => kind);

/** Nobody helps; the lease looks every second. */
async function expectGoneSoon(model: string): Promise<void> {
  await vi.waitFor(async () => expect(await liveOf(model)).toEqual([]), { timeout: 60_000, interval: 100 });
  await vi.waitFor(() => expectInvariants(service, model), { timeout: 60_000, interval: 200 });
}

function lease(kind: 'training-job' | 'deployment', name: string): WorkflowHandle {
  return service.client.workflow.getHandle(leaseWorkflowId({ kind, name }));
}

async function startAndAwait(stage: string, more: object = {}) {
  const model = service.newModel();
  const handle = await service.start('fineTune', conversation(model, more));
  const status = await service.awaitStatus(
    handle,
    ({ stage: now, job, deployment }) =>
      now === stage &&
      (stage === 'training' ? job?.id : stage === 'deployment' ? deployment?.id : true) != null,
  );
  return { model, handle, status };
}

describe.concurrent('what a terminated run leaves behind is deleted without help', () => {
  it.each(['training', 'deployment'])('terminated in %s', async (stage) => {
    const { model, handle } = await startAndAwait(stage);
    expect(await liveOf(model)).not.toEqual([]);
    await handle.terminate('by a test');
    await expectGoneSoon(model);
  });

  it('terminated while provisioned throughput is created', async () => {
    const deployment = { target: 'bedrock-provisioned' };
    const { model, handle } = await startAndAwait('deployment', { deployment, budgetUsd: 200 });
    await handle.terminate('by a test');
    await expectGoneSoon(model);
  });

  it('terminated with a deployment that is ready, while it waits for approval', async () => {
    const { model, handle } = await startAndAwait('approval', { approval: 'before-promotion' });
    expect((await liveOf(model)).sort()).toEqual(['customModel', 'deployment']);
    await handle.terminate('by a test');
    await expectGoneSoon(model);
    const [version] = await service.dependencies.registry.versions(model);
    expect(version).toMatchObject({ status: 'archived', deployment: null });
  });

  it('terminated while it gives its model back, with the registry not told yet', async () => {
    const { model, handle, status } = await startAndAwait('approval', { approval: 'before-promotion' });
    for (const held of [
      lease('deployment', status.deployment?.name ?? ''),
      lease('training-job', status.job?.name ?? ''),
    ]) {
      const { holder } = (await held.query(leaseQuery)) as LeaseView;
      await held.executeUpdate(releaseUpdate, { args: [holder as LeaseHolder] });
      await held.result();
    }
    const [candidate] = await service.dependencies.registry.versions(model);
    expect(candidate).toMatchObject({ status: 'candidate' });
    await handle.terminate('by a test');
    await expectGoneSoon(model);
    const [version] = await service.dependencies.registry.versions(model);
    expect(version).toMatchObject({ status: 'archived', deployment: null });
  });

  it('terminated in validation', async () => {
    const dataset = {
      source: { kind: 'file', path: conversationsFile('thing', 1500) },
      validationShare: 0.5,
    };
    const { model, handle } = await startAndAwait('validation', { dataset, validation: { samples: 750 } });
    await handle.terminate('by a test');
    await expectGoneSoon(model);
  });

  it('a holder whose workflow ID is used anew counts as gone', async () => {
    const { model, handle } = await startAndAwait('training');
    await handle.terminate('by a test');
    const other = service.newModel();
    const spec = conversation(other, { approval: 'before-training' });
    const reused = await service.start('fineTune', spec, handle.workflowId);
    await expectGoneSoon(model);
    await reused.cancel();
    await service.endOf(reused);
  });
});

describe.concurrent('a lease', () => {
  const stranger: LeaseHolder = { kind: 'workflow', workflowId: 'somebody-else', firstRunId: 'no-run' };
  const nobody = undefined as unknown as LeaseHolder;

  it('refuses strangers and the anonymous, naming the holder, and goes on as it was', async () => {
    const { handle, status } = await startAndAwait('training');
    const held = lease('training-job', status.job?.name ?? '');
    const holder = ((await held.query(leaseQuery)) as LeaseView).holder as LeaseHolder;
    const attempts = [
      () => held.executeUpdate(acquireUpdate, { args: [stranger] }),
      () => held.executeUpdate(releaseUpdate, { args: [stranger] }),
      () => held.executeUpdate(handOverUpdate, { args: [{ from: stranger, to: stranger }] }),
    ];
    for (const attempt of attempts) {
      const error = await attempt().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
      const { cause } = error as WorkflowUpdateFailedError;
      expect(cause).toMatchObject({ type: 'Conflict' });
      expect(cause?.message).toContain(`held by workflow ${handle.workflowId}`);
    }
    await expect(held.executeUpdate(acquireUpdate, { args: [nobody] })).rejects.toThrow(
      WorkflowUpdateFailedError,
    );
    await expect(held.executeUpdate(releaseUpdate, { args: [nobody] })).rejects.toThrow(
      WorkflowUpdateFailedError,
    );
    expect(await held.query(leaseQuery)).toMatchObject({ holder, state: 'held' });
    await handle.cancel();
    await service.endOf(handle);
  });

  it('is released once however often its holder asks', async () => {
    const { model, handle, status } = await startAndAwait('training');
    const held = lease('training-job', status.job?.name ?? '');
    const { holder } = (await held.query(leaseQuery)) as LeaseView;
    const release = () => held.executeUpdate(releaseUpdate, { args: [holder as LeaseHolder] });
    const [first, second] = await Promise.all([release(), release()]);
    expect(second).toEqual(first);
    await held.result();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'failed', type: 'TrainingFailed' });
    const { undone } = (await handle.describe()).memo as { undone: { problem: null }[] };
    expect(undone.every(({ problem }) => problem === null)).toBe(true);
    await expectGoneSoon(model);
  });

  it('goes to the champion when the run ends between promotion and hand-over', async () => {
    const { model, handle, status } = await startAndAwait('approval', { approval: 'before-promotion' });
    const author = { workflowId: handle.workflowId, runId: 'the-run' };
    await service.dependencies.registry.promote(author, {
      model,
      version: 1,
      action: 'promote',
      deployedBy: 'a test',
      notes: 'as the run would have',
    });
    await handle.terminate('by a test');
    const names = [
      lease('deployment', status.deployment?.name ?? ''),
      lease('training-job', status.job?.name ?? ''),
    ];
    for (const held of names) {
      await vi.waitFor(
        async () =>
          expect(await held.query(leaseQuery)).toMatchObject({
            holder: { kind: 'model-version', model, version: 1 },
            state: 'held',
          }),
        { timeout: 60_000, interval: 100 },
      );
    }
    expect((await liveOf(model)).sort()).toEqual(['customModel', 'deployment']);
    await expectInvariants(service, model);
  });

  it('cannot be started by hand under another ID, where it would delete what the real one protects', async () => {
    const { handle, status } = await startAndAwait('training');
    const held = lease('training-job', status.job?.name ?? '');
    const { resource } = (await held.query(leaseQuery)) as LeaseView;
    const ending = await service.run('leaseResource', { resource });
    expect(ending).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
    expect((ending as { message: string }).message).toContain(`allowed: ${held.workflowId}`);
    await handle.cancel();
    await service.endOf(handle);
  });

  it('survives a cancel, because that would orphan what it protects', async () => {
    const { handle, status } = await startAndAwait('training');
    const held = lease('training-job', status.job?.name ?? '');
    await held.cancel();
    expect(await held.query(leaseQuery)).toMatchObject({ state: 'held' });
    await handle.cancel();
    await service.endOf(handle);
    expect(await service.endOf(held)).toMatchObject({ closed: 'completed' });
  });
});

describe.concurrent('a lease has an end', () => {
  const startLease = async (holdHours: number) => {
    const holderRun = await service.start('fineTune', conversation(service.newModel()));
    const holder: LeaseHolder = {
      kind: 'workflow',
      workflowId: holderRun.workflowId,
      firstRunId: (holderRun as unknown as { firstExecutionRunId: string }).firstExecutionRunId,
      holdHours,
    };
    const resource = {
      kind: 'deployment' as const,
      provider: 'bedrock-on-demand',
      name: `expiring-${service.newModel()}`,
      model: 'expiring',
      usdPerHour: 0,
      filesUri: null,
    };
    const handle = await service.client.workflow.start('leaseResource', {
      taskQueue: service.taskQueue,
      workflowId: leaseWorkflowId(resource),
      args: [{ resource, lookAgainSeconds: 0, held: null }],
    });
    await handle.executeUpdate(acquireUpdate, { args: [holder] });
    return { handle, holder };
  };

  it('deletes what a run that hangs has held too long', async () => {
    const { handle } = await startLease(0.0005);
    const view: LeaseView = await handle.query(leaseQuery);
    expect(Date.parse(view.expiresAt ?? '')).toBeGreaterThan(Date.now() - 2000);
    expect(await handle.result()).toMatchObject({ resource: view.resource.name });
  });

  it('which people move', async () => {
    const { handle } = await startLease(0.001);
    const extended = await handle.executeUpdate(extendUpdate, { args: [{ hours: 24 }] });
    expect(Date.parse(extended.expiresAt ?? '') - Date.now()).toBeGreaterThan(23.9 * 3_600_000);
    await expect(handle.executeUpdate(extendUpdate, { args: [{ hours: -1 }] })).rejects.toThrow(
      WorkflowUpdateFailedError,
    );
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect((await handle.query(leaseQuery)).state).toBe('held');
  });

  it('continues as new before its history grows long, and still knows its holder', async () => {
    const { handle, holder } = await startLease(24);
    const firstRun = (await handle.describe()).runId;
    // The server may refuse what arrives while a history ends; activities ask again, too.
    const acquire = () => vi.waitFor(() => handle.executeUpdate(acquireUpdate, { args: [holder] }), 10_000);
    for (let batch = 0; batch < 50; batch++) await Promise.all(Array.from({ length: 10 }, acquire));
    const current = service.client.workflow.getHandle(handle.workflowId);
    await vi.waitFor(async () => expect((await current.describe()).runId).not.toBe(firstRun), {
      timeout: 60_000,
    });
    expect(await current.query(leaseQuery)).toMatchObject({ state: 'held', holder });
    expect((await current.describe()).historyLength).toBeLessThan(1500);
  });
});

it('what a promotion superseded is given back although its run was terminated right after it', async () => {
  const model = service.newModel();
  const spec = conversation(model, { force: true });
  for (const champion of [1, 2]) {
    expect(await service.execute('fineTune', spec)).toMatchObject({ champion });
  }
  const handle = await service.start('fineTune', spec);
  await vi.waitFor(
    async () => {
      const events = (await handle.fetchHistory()).events ?? [];
      const names = events.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
      expect(names).toContain('promoteVersion');
    },
    { timeout: 60_000, interval: 20 },
  );
  await vi.waitFor(
    async () => expect((await service.dependencies.registry.champion(model))?.version).toBe(3),
    { timeout: 20_000, interval: 10 },
  );
  await handle.terminate('by a test');
  const statuses = async () =>
    (await service.dependencies.registry.versions(model)).map(({ status }) => status);
  await vi.waitFor(async () => expect(await statuses()).toEqual(['archived', 'previous', 'champion']), {
    timeout: 60_000,
    interval: 300,
  });
  await expectInvariants(service, model);
});
