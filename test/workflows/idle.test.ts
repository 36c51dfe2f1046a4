import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { InferResult } from '../../src/activities/inference/activities.js';
import { createDeploymentUsage } from '../../src/activities/usage/postgres-deployment-usage.js';
import { createDatabase } from '../../src/database/database.js';
import { leaseWorkflowId } from '../../src/domain/lease.js';
import type { RunResult } from '../../src/domain/run-state.js';
import type { IdleEntry, SweepResult } from '../../src/domain/sweep.js';
import { leaseQuery } from '../../src/workflows/messages.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
let database: ReturnType<typeof createDatabase>;
beforeAll(async () => {
  service = await startService();
  database = createDatabase(service.environment.DATABASE_URL ?? '');
});
afterAll(async () => {
  await database.destroy();
  await service.stop();
});

const deployment = { target: 'bedrock-provisioned', settings: { modelUnits: 2 } };

let model: string;
let name: string;
/** A champion on two model units that nobody has asked anything. */
beforeEach(async () => {
  model = service.newModel();
  await service.execute('train', conversation(model));
  await service.execute('deploy', { model, deployment });
  await service.execute('promote', { model, force: true });
  name = (await champion())?.deployment?.name ?? '';
});

const champion = () => service.dependencies.registry.champion(model);
const infer = (more: object = {}) => {
  const request = { prompt: 'Which colour has item 1?' };
  return service.execute<InferResult>('infer', { recipe: 'conversation', model, request, ...more });
};
const throughputs = async () =>
  (await service.live()).filter(
    (resource) => resource.kind === 'provisionedThroughput' && resource.name.startsWith(`${model}-`),
  );

const sweepId = () => `sweep-orphans/${model}`;

/** Half an hour: half a second of the local cloud, but half an hour since somebody asked. */
async function sweep(spec: object = {}): Promise<{ result: SweepResult; line: IdleEntry | undefined }> {
  const input = { graceMinutes: 0, idleHours: 0.5, ...spec };
  const result = await service.execute<SweepResult>('sweepOrphans', input, sweepId());
  return { result, line: result.idle.find((entry) => entry.model === model) };
}

const release = () => sweep({ delete: true, releaseIdle: true });

/** As if the last question had been asked hours ago. */
async function letHoursPass(hours: number): Promise<void> {
  const { deploymentId = '' } = (await champion())?.deployment ?? {};
  await vi.waitFor(async () => {
    const { numUpdatedRows } = await database
      .updateTable('deployment_usage')
      .set({ last_used_at: new Date(Date.now() - hours * 3_600_000) })
      .where('deployment_id', '=', deploymentId)
      .executeTakeFirstOrThrow();
    expect(numUpdatedRows).toBe(1n);
  });
}

function proposed(next: string): { type: string; workflowId: string; input: object } {
  const [, type = ''] = /--type (\w+)/.exec(next) ?? [];
  const [, workflowId = ''] = /--workflow-id (\S+)/.exec(next) ?? [];
  const [, input = ''] = /--input '(.*)'/.exec(next) ?? [];
  return { type, workflowId, input: JSON.parse(input) as object };
}

async function expectBack(): Promise<void> {
  expect(await throughputs()).toHaveLength(1);
  const back = await champion();
  expect(back?.deployment).toMatchObject({ target: 'bedrock-provisioned', usdPerHour: 120 });
  const view = await service.client.workflow
    .getHandle(leaseWorkflowId({ kind: 'deployment', name: back?.deployment?.name ?? '' }))
    .query(leaseQuery);
  expect(view.holder).toEqual({ kind: 'model-version', model, version: 1 });
  expect(await infer()).toMatchObject({ source: 'model', version: 1 });
  await expectInvariants(service, model);
}

describe('an hourly deployment that nothing asks', () => {
  it('is reported with its cost and the command that brings it back; nothing else happens', async () => {
    await vi.waitFor(async () => expect((await sweep()).line).toBeDefined(), { timeout: 20_000 });
    const { result, line } = await sweep();
    expect(line).toMatchObject({
      deployment: name,
      model,
      version: 1,
      status: 'champion',
      lastUsedAt: null,
      usdPerHour: 120,
      usdPerDay: 2880,
      usdPerMonth: 87_600,
      action: 'reported',
    });
    expect(line?.idleUsd).toBeCloseTo((line?.idleHours ?? 0) * 120, 0);
    expect(proposed(line?.next ?? '')).toEqual({
      type: 'deploy',
      workflowId: `deploy/${model}`,
      input: { model, version: 1, deployment },
    });
    expect(result.counts.released).toBe(0);
    expect((await sweep({ delete: true })).line).toMatchObject({ action: 'reported' });
    expect(await throughputs()).toHaveLength(1);
    expect((await sweep({ idleHours: null })).line).toBeUndefined();
  });

  it('is not idle once somebody has asked it', async () => {
    expect(await infer()).toMatchObject({ source: 'model' });
    await letHoursPass(0.4);
    expect((await sweep()).line).toBeUndefined();
    await letHoursPass(3);
    const { line } = await sweep();
    expect(line?.idleHours).toBeGreaterThanOrEqual(3);
    expect(line?.lastUsedAt).not.toBeNull();
  });

  it('counts the questions of a validation', async () => {
    await service.execute('validate', { model, validation: { samples: 4 } });
    await letHoursPass(0.1);
    expect((await sweep()).line).toBeUndefined();
  });

  it('is released, its version stays champion, and one command brings it back as it was', async () => {
    await vi.waitFor(async () => expect((await sweep()).line).toBeDefined(), { timeout: 20_000 });
    const { line } = await release();
    expect(line).toMatchObject({ action: 'released', deployment: name });
    expect(await throughputs()).toEqual([]);
    expect(await champion()).toMatchObject({ version: 1, status: 'champion', deployment: null });
    const last = (await service.dependencies.registry.history(model)).at(-1);
    expect(last).toMatchObject({ action: 'undeploy', version: 1, deployedBy: sweepId() });
    expect(last?.notes).toMatch(/nothing asked it for/);
    await expectInvariants(service, model);

    const asleep = await infer();
    expect(asleep.source).not.toBe('model');
    expect(asleep.fallbackReason).toMatch(/champion version 1 has no deployment; start deploy.*"wake": true/);
    expect((await release()).line).toBeUndefined();

    const { workflowId, input } = proposed(line?.next ?? '');
    await service.execute<RunResult>('deploy', input, workflowId);
    await expectBack();
  });

  it('comes back with the next request that may wake it, once for all of them', async () => {
    await vi.waitFor(async () => expect((await sweep()).line).toBeDefined(), { timeout: 20_000 });
    await release();
    const answers = await Promise.all([1, 2, 3].map(() => infer({ wake: true })));
    for (const { source, fallbackReason, response } of answers) {
      expect(source).not.toBe('model');
      expect(fallbackReason).toBe(
        `champion version 1 has no deployment; workflow deploy/${model} is starting one`,
      );
      expect(response).not.toBeNull();
    }
    await service.client.workflow.getHandle(`deploy/${model}`).result();
    await expectBack();
    const created = (await service.ledger()).filter(
      (entry) =>
        entry.action === 'create' && entry.kind === 'provisionedThroughput' && entry.name.startsWith(model),
    );
    expect(created).toHaveLength(2);
  });

  it('stays while a run works on its model', async () => {
    const run = await service.start(
      'fineTune',
      conversation(model, { approval: 'before-training', force: true, budgetUsd: 500 }),
    );
    await service.awaitStatus(run, ({ awaiting }) => awaiting !== null);
    const { line } = await release();
    expect(line).toMatchObject({ action: 'kept', reason: `workflow ${run.workflowId} works on the model` });
    expect(await throughputs()).toHaveLength(1);
    await run.cancel();
    await service.endOf(run);
    await expectInvariants(service, model);
  });
});

describe('the memory of uses', () => {
  it('is written once a minute for each deployment, whoever asks, and never fails', async () => {
    const usage = createDeploymentUsage(database);
    const read = async () => (await usage.idleHours(['a', 'b'])).get('a');
    usage.note('a');
    await vi.waitFor(async () => expect(await read()).toBeDefined());
    const first = await read();
    for (let time = 0; time < 100; time += 1) usage.note('a');
    createDeploymentUsage(database).note('a');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await read())?.at).toBe(first?.at);

    const away = createDatabase('postgres://nobody@127.0.0.1:1/nothing');
    expect(() => createDeploymentUsage(away).note('a')).not.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await away.destroy();
  });
});
