import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 6 } });
});
afterAll(() => service.stop());

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

async function reset(handle: WorkflowHandle, eventId: HistoryEvent['eventId']): Promise<WorkflowHandle> {
  const { runId } = await service.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    workflowTaskFinishEventId: eventId,
    reason: 'a test',
    requestId: randomUUID(),
  });
  return service.client.workflow.getHandle(handle.workflowId, runId);
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
