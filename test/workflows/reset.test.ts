import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LeaseHolder, type LeaseView, leaseWorkflowId } from '../../src/domain/lease.js';
import { leaseQuery, releaseUpdate } from '../../src/workflows/messages.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { sellsAgain } from '../support/sandbox.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
let forgetful: TestService;
beforeAll(async () => {
  [service, forgetful] = await Promise.all([
    startService({ sandbox: { trainingHours: 6 } }),
    startService({
      sandbox: { trainingHours: 6, readings: sellsAgain },
    }),
  ]);
});
afterAll(() => Promise.all([service?.stop(), forgetful?.stop()]));

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The task in which an activity was scheduled; the first task where none is named. */
async function taskBefore(handle: WorkflowHandle, activity: string | null): Promise<HistoryEvent['eventId']> {
  const events: HistoryEvent[] = (await handle.fetchHistory()).events ?? [];
  const scheduled = activity
    ? events.findIndex((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity)
    : events.length;
  const tasks = events.slice(0, scheduled).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = activity ? tasks.at(-1) : tasks[0];
  return task?.eventId;
}

async function reset(
  handle: WorkflowHandle,
  eventId: HistoryEvent['eventId'],
  { client }: Pick<TestService, 'client'> = service,
): Promise<WorkflowHandle> {
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    workflowTaskFinishEventId: eventId,
    reason: 'a test',
    requestId: randomUUID(),
  });
  return client.workflow.getHandle(handle.workflowId, runId);
}

describe.concurrent('a run that is reset while its job trains adopts that job', () => {
  it.each([
    ['to its first task', null],
    ['to before the lease on the job', 'reserveBudget'],
    ['to before the submit', 'submitTrainingJob'],
  ])('%s', async (_point, activity) => {
    const model = service.newModel();
    const handle = await service.start('fineTune', conversation(model));
    const { job } = await service.awaitStatus(handle, (status) => Boolean(status.job?.id));
    const again = await reset(handle, await taskBefore(handle, activity));
    expect(await service.endOf(again)).toMatchObject({ result: { outcome: 'promoted', version: 1 } });
    const jobs = (await service.ledger()).filter(
      ({ kind, action, name }) => kind === 'trainingJob' && action === 'create' && name.startsWith(model),
    );
    expect(jobs.map(({ resource }) => resource)).toEqual([job?.id]);
    await expectInvariants(service, model);
  });
});

describe.concurrent('a run that is reset after its version became champion', () => {
  it.each([
    ['on demand, to its first task', 'bedrock-on-demand', null],
    ['on demand, to before its deployment', 'bedrock-on-demand', 'createDeployment'],
    ['provisioned, to before it is placed', 'bedrock-provisioned', 'placeCandidate'],
    ['provisioned, to before the alias moves', 'bedrock-provisioned', 'promoteVersion'],
  ])('%s: ends as it had, and buys nothing', async (_point, target, activity) => {
    const model = service.newModel();
    const spec = conversation(model, { deployment: { target }, budgetUsd: 500, force: true });
    await service.execute('fineTune', spec);
    const handle = await service.start('fineTune', spec);
    expect(await service.endOf(handle)).toMatchObject({ result: { outcome: 'promoted', champion: 2 } });
    const bought = (await service.ledger()).filter(
      ({ action, kind, name }) => action === 'create' && kind !== 'deployment' && name.startsWith(model),
    );
    const again = await reset(handle, await taskBefore(handle, activity));
    expect(await service.endOf(again)).toMatchObject({ closed: 'completed', result: { champion: 2 } });
    const now = (await service.ledger()).filter(
      ({ action, kind, name }) => action === 'create' && kind !== 'deployment' && name.startsWith(model),
    );
    expect(now).toEqual(bought);
    await vi.waitFor(() => expectInvariants(service, model), { timeout: 30_000, interval: 300 });
  });
});

describe.concurrent('a run that is reset to before what it has given back', () => {
  /** Gives a resource back as the run itself does, and waits until that has come to its end. */
  async function giveBack(client: TestService['client'], kind: 'training-job' | 'deployment', name: string) {
    const lease = client.workflow.getHandle(leaseWorkflowId({ kind, name }));
    const { holder } = (await lease.query(leaseQuery)) as LeaseView;
    await lease.executeUpdate(releaseUpdate, { args: [holder as LeaseHolder] });
    await lease.result();
  }

  it.each([
    ['a job', 'training', 'training-job', 'submitTrainingJob'],
    ['a job, to before its lease', 'training', 'training-job', 'reserveBudget'],
    ['a deployment', 'approval', 'deployment', 'createDeployment'],
  ] as const)('does not buy it again: %s', async (_what, stage, kind, activity) => {
    for (const cloud of [forgetful, service]) {
      const { client, newModel, start, awaitStatus, endOf, ledger } = cloud;
      const model = newModel();
      const handle = await start('fineTune', conversation(model, { approval: 'before-promotion' }));
      const { job, deployment } = await awaitStatus(
        handle,
        (status) =>
          status.stage === stage &&
          Boolean(status.job?.id) &&
          (stage === 'training' || status.awaiting !== null),
      );
      const name = (kind === 'training-job' ? job?.name : deployment?.name) ?? '';
      const task = await taskBefore(handle, activity);
      await giveBack(client, kind, name);
      const again = await reset(handle, task, { client });
      const ending = await endOf(again);
      expect(ending).toMatchObject({ closed: 'failed', type: 'Conflict' });
      expect(ending).toHaveProperty(
        'message',
        expect.stringMatching(new RegExp(`${name} was given back at 20[^ ]+Z.*Start a new run`)),
      );
      const created = (await ledger()).filter((entry) => entry.action === 'create' && entry.name === name);
      expect(created).toHaveLength(1);
      await vi.waitFor(() => expectInvariants(cloud, model), { timeout: 30_000, interval: 300 });
    }
  });
});
