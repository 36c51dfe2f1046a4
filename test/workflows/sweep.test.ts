import { randomUUID } from 'node:crypto';
import {
  CreateCustomModelDeploymentCommand,
  DeleteCustomModelCommand,
  DeleteCustomModelDeploymentCommand,
} from '@aws-sdk/client-bedrock';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDatabase } from '../../src/database/database.js';
import { type LeaseHolder, type LeaseView, leaseWorkflowId } from '../../src/domain/lease.js';
import type { ModelVersion } from '../../src/domain/model-version.js';
import { ownershipTags } from '../../src/domain/names.js';
import type { SweepResult } from '../../src/domain/sweep.js';
import { leaseQuery, releaseUpdate } from '../../src/workflows/messages.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
/** A registered model that every test leaves as it is. */
let kept: string;
beforeAll(async () => {
  service = await startService({ sandbox: { trainingHours: 4 } });
  kept = service.newModel();
  await service.execute('fineTune', conversation(kept));
});
afterAll(() => service.stop());

let model: string;
beforeEach(() => {
  model = service.newModel();
});

/** No grace unless given: in the local cloud an hour is a second. */
const sweep = (spec: object = {}) =>
  service.execute<SweepResult>('sweepOrphans', { graceMinutes: 0, ...spec });

const liveOf = async (name: string) =>
  (await service.live())
    .filter((resource) => resource.name.startsWith(`${name}-`))
    .map(({ kind }) => kind)
    .sort();

const linesOf = ({ orphans }: SweepResult, name: string) =>
  orphans.filter((entry) => entry.name.startsWith(`${name}-`));

function lease(kind: 'training-job' | 'deployment', name: string) {
  return service.client.workflow.getHandle(leaseWorkflowId({ kind, name }));
}

const versionOf = async (name: string) =>
  (await service.dependencies.registry.versions(name))[0] as ModelVersion;

/** A create whose run is gone, and its lease with it. */
async function createDeployment(target: string, settings: object = {}, bucket = service.dependencies.bucket) {
  const { modelId } = await versionOf(kept);
  const name = `${model}-${target}-d1`;
  const author = { workflowId: `fine-tune/${model}`, runId: randomUUID() };
  const tags = ownershipTags({ ...author, model, stage: 'deployment', bucket });
  return service.dependencies.providers.targets.get(target)?.create({
    target,
    name,
    idempotencyToken: name,
    modelId,
    tags,
    settings: { ...settings },
  });
}

/** The command that a line proposes, as its type and input. */
function proposed(next: string): { type: string; input: object } {
  const [, type = ''] = /--type (\w+)/.exec(next) ?? [];
  const [, input = ''] = /--input '(.*)'/.exec(next) ?? [];
  return { type, input: JSON.parse(input) as object };
}

describe('what a promotion superseded', () => {
  /** A registered version that nothing has judged, on throughput. */
  const deployCandidate = async (version: number) => {
    await service.execute('train', conversation(model, { force: true }));
    const deployment = { target: 'bedrock-provisioned' };
    await service.execute('deploy', { model, version, deployment });
  };
  /** As a run does that is terminated right afterwards, and its leases with it. */
  const promoteAndVanish = (version: number) =>
    service.dependencies.registry.promote(
      { workflowId: `fine-tune/${model}`, runId: randomUUID() },
      { model, version, action: 'promote', deployedBy: 'a test', notes: '' },
    );
  const statuses = async () =>
    (await service.dependencies.registry.versions(model)).map(({ status, deployment }) => ({
      status,
      isDeployed: deployment !== null,
    }));

  it('is given back when the run that did it ended before it could, and its leases with it', async () => {
    for (const version of [1, 2, 3]) {
      await deployCandidate(version);
      await promoteAndVanish(version);
    }
    const dry = linesOf(await sweep(), model);
    expect(dry.map(({ kind, action }) => `${kind} ${action}`).sort()).toEqual([
      'deployment reported',
      'deployment reported',
      'model reported',
    ]);
    expect(await liveOf(model)).toHaveLength(6);

    expect(linesOf(await sweep({ delete: true }), model).map(({ action }) => action)).toEqual([
      'deleted',
      'deleted',
      'deleted',
    ]);
    expect(await statuses()).toEqual([
      { status: 'archived', isDeployed: false },
      { status: 'previous', isDeployed: false },
      { status: 'champion', isDeployed: true },
    ]);
    expect(await liveOf(model)).toEqual(['customModel', 'customModel', 'provisionedThroughput']);
    expect(linesOf(await sweep({ delete: true }), model)).toEqual([]);
    await expectInvariants(service, model);
  });

  it('stays where somebody has deployed it again since then', async () => {
    await deployCandidate(1);
    await promoteAndVanish(1);
    await deployCandidate(2);
    await promoteAndVanish(2);
    await sweep({ delete: true });
    await service.execute('deploy', { model, version: 1, deployment: { target: 'bedrock-provisioned' } });
    expect(linesOf(await sweep({ delete: true }), model)).toEqual([]);
    expect((await statuses())[0]).toEqual({ status: 'previous', isDeployed: true });
  });
});

describe('a swap that was cut short, its run and every lease gone', () => {
  it('is put back, so that the champion answers again; a dry run says which', async () => {
    const deployment = { target: 'bedrock-provisioned' };
    await service.execute('fineTune', conversation(model, { deployment, budgetUsd: 1000 }));
    const champion = await versionOf(model);
    const reference = champion.deployment as NonNullable<ModelVersion['deployment']>;
    const target = service.dependencies.providers.targets.get(reference.target);
    const { modelId: other } = await versionOf(kept);
    await target?.update(reference, other);

    const missingOf = ({ missing }: SweepResult) =>
      missing.filter((entry) => entry.model === model).map(({ kind, action }) => `${kind} ${action}`);
    const dry = await sweep();
    expect(missingOf(dry)).toEqual(['champion reported']);
    expect(proposed(dry.next)).toMatchObject({ type: 'sweepOrphans', input: { delete: true } });

    expect(missingOf(await sweep({ delete: true }))).toEqual(['champion corrected']);
    expect(await target?.describe(reference)).toMatchObject({ modelId: champion.modelId, status: 'ready' });
    expect(missingOf(await sweep({ delete: true }))).toEqual([]);
    await expectInvariants(service, model);
  });
});

describe('what nobody answers for', () => {
  it('is reported with owner, age and dollars a month by a dry run, which changes nothing', async () => {
    await createDeployment('bedrock-on-demand');
    await createDeployment('bedrock-provisioned', { modelUnits: 2 });
    const result = await sweep();
    expect(result).toMatchObject({ dryRun: true, counts: { deleted: 0, corrected: 0, leasedAgain: 0 } });
    const lines = linesOf(result, model);
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatchObject({
        kind: 'deployment',
        model,
        owner: `fine-tune/${model}`,
        action: 'reported',
      });
      expect(line.ageHours).toBeGreaterThan(0);
    }
    expect(lines.map(({ usdPerMonth }) => usdPerMonth).sort()).toEqual([0, 2 * 60 * 730]);
    expect(result.totalUsdPerMonth).toBeGreaterThanOrEqual(2 * 60 * 730);
    expect(await liveOf(model)).toEqual(['deployment', 'provisionedThroughput']);

    const report = JSON.parse((await service.dependencies.objects.getText(result.report ?? '')) ?? '');
    expect(report.orphans).toEqual(result.orphans);

    const { type, input } = proposed(result.next);
    expect(input).toMatchObject({ delete: true, graceMinutes: 0 });
    const swept = await service.execute<SweepResult>(type as 'sweepOrphans', input);
    expect(linesOf(swept, model).map(({ action }) => action)).toEqual(['deleted', 'deleted']);
    expect(await liveOf(model)).toEqual([]);
    expect(linesOf(await sweep(), model)).toEqual([]);
    await expectInvariants(service, kept);
  });

  it('stays within its grace', async () => {
    await createDeployment('bedrock-on-demand');
    expect(linesOf(await sweep({ delete: true, graceMinutes: 500_000 }), model)).toEqual([]);
    expect(await liveOf(model)).toEqual(['deployment']);
    await sweep({ delete: true });
    expect(await liveOf(model)).toEqual([]);
  });

  it('stays when it is not ours: no tags, or those of somebody else', async () => {
    const { modelId: modelArn } = await versionOf(kept);
    const bucket = { key: 'anneal:bucket', value: service.dependencies.bucket };
    const theirs = [
      { modelDeploymentName: `${model}-untagged` },
      { modelDeploymentName: `${model}-half`, tags: [bucket] },
      { modelDeploymentName: `${model}-theirs`, tags: [bucket, { key: 'anneal:owner', value: 'somebody' }] },
    ];
    for (const each of theirs) {
      await service.stranger.bedrock.send(new CreateCustomModelDeploymentCommand({ ...each, modelArn }));
    }
    expect(linesOf(await sweep({ delete: true }), model)).toEqual([]);
    expect(await liveOf(model)).toHaveLength(3);
    for (const { modelDeploymentName: customModelDeploymentIdentifier } of theirs) {
      await service.stranger.bedrock.send(
        new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier }),
      );
    }
  });

  it('stays when another installation in the same account has it', async () => {
    await createDeployment('bedrock-on-demand', {}, 'anneal-staging');
    expect(linesOf(await sweep({ delete: true }), model)).toEqual([]);
    expect(await liveOf(model)).toEqual(['deployment']);
  });

  it('is the job of a run that was terminated together with its lease, and the model that came of it', async () => {
    const handle = await service.start('fineTune', conversation(model));
    const { job } = await service.awaitStatus(handle, (status) => status.job?.id != null);
    await lease('training-job', job?.name ?? '').terminate('by a test');
    await handle.terminate('by a test');
    const found = linesOf(await sweep(), model);
    expect(found).toMatchObject([{ kind: 'training-job', name: job?.name, owner: handle.workflowId }]);
    await vi.waitFor(async () => expect(await liveOf(model)).toEqual(['customModel']), { timeout: 60_000 });
    expect(linesOf(await sweep({ delete: true }), model)).toMatchObject([
      { kind: 'model', action: 'deleted', usdPerMonth: 1.95 },
    ]);
    expect(await liveOf(model)).toEqual([]);
  });

  it('is stopped where it is a job that runs', async () => {
    const handle = await service.start('fineTune', conversation(model));
    const { job } = await service.awaitStatus(handle, (status) => status.job?.id != null);
    await lease('training-job', job?.name ?? '').terminate('by a test');
    await handle.terminate('by a test');
    expect(linesOf(await sweep({ delete: true }), model)).toMatchObject([{ action: 'deleted' }]);
    expect(await liveOf(model)).toEqual([]);
  });

  it('may be swept by two at once', async () => {
    await createDeployment('bedrock-on-demand');
    const spec = { delete: true, graceMinutes: 0 };
    const both = await Promise.all([1, 2].map(() => service.execute<SweepResult>('sweepOrphans', spec)));
    for (const result of both) expect(result.counts.kept).toBe(0);
    expect(await liveOf(model)).toEqual([]);
  });
});

describe('what somebody answers for stays', () => {
  it('a running workflow, although its lease was terminated by hand', async () => {
    const handle = await service.start('fineTune', conversation(model));
    const { job } = await service.awaitStatus(handle, (status) => status.job?.id != null);
    await lease('training-job', job?.name ?? '').terminate('by a test');
    expect(linesOf(await sweep({ delete: true }), model)).toEqual([]);
    expect(await liveOf(model)).toEqual(['trainingJob']);
    await handle.cancel();
    await service.endOf(handle);
    expect(await liveOf(model)).toEqual([]);
  });

  it('a champion, whose terminated leases are started again', async () => {
    await service.execute('fineTune', conversation(model));
    const { jobName, deployment } = await versionOf(model);
    const leases = [lease('training-job', jobName), lease('deployment', deployment?.name ?? '')];
    for (const each of leases) await each.terminate('by a test');
    const dry = await sweep();
    expect(linesOf(dry, model).map(({ action }) => action)).toEqual(['reported', 'reported']);
    for (const each of leases) expect((await each.describe()).status.name).toBe('TERMINATED');

    const result = await sweep({ delete: true });
    expect(linesOf(result, model).map(({ action }) => action)).toEqual(['leasedAgain', 'leasedAgain']);
    expect(result.counts).toMatchObject({ orphans: 0, leasedAgain: 2 });
    for (const each of leases) {
      const view = (await each.query(leaseQuery)) as LeaseView;
      expect(view).toMatchObject({ state: 'held', holder: { kind: 'model-version', model, version: 1 } });
    }
    await expectInvariants(service, model);
    // What was leased again is released as ever.
    await service.execute('teardown', { model, version: 1, force: true });
    expect(await liveOf(model)).toEqual([]);
  });

  it('a version that the registry has lost, as long as its lease holds it; the report says how to let go', async () => {
    await service.execute('train', conversation(model));
    const { jobName } = await versionOf(model);
    const database = createDatabase(service.environment.DATABASE_URL ?? '');
    await database.deleteFrom('aliases').where('model', '=', model).execute();
    await database.deleteFrom('fine_tuned_models').where('model', '=', model).execute();
    await database.destroy();
    const [line] = linesOf(await sweep({ delete: true }), model);
    expect(line).toMatchObject({ name: jobName, action: 'kept', usdPerMonth: 1.95 });
    expect(await liveOf(model)).toEqual(['customModel']);

    const [, workflowId = '', holder = ''] =
      /--workflow-id (\S+) --name release --input '(.*)'/.exec(line?.reason ?? '') ?? [];
    await service.client.workflow
      .getHandle(workflowId)
      .executeUpdate(releaseUpdate, { args: [JSON.parse(holder) as LeaseHolder] });
    expect(await liveOf(model)).toEqual([]);
  });
});

describe('what should exist and does not', () => {
  it('a champion without its deployment is reported; with delete the registry follows, and deploy mends it', async () => {
    await service.execute('fineTune', conversation(model));
    const { deployment } = await versionOf(model);
    const { name = '', deploymentId: customModelDeploymentIdentifier } = deployment ?? {};
    await service.stranger.bedrock.send(
      new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier }),
    );
    const [line, ...others] = (await sweep()).missing;
    expect(others).toEqual([]);
    expect(line).toMatchObject({ kind: 'deployment', name, model, version: 1, action: 'reported' });
    expect((await versionOf(model)).deployment?.name).toBe(name);

    expect((await sweep({ delete: true })).missing).toMatchObject([{ name, action: 'corrected' }]);
    expect(await versionOf(model)).toMatchObject({ status: 'champion', deployment: null });
    expect((await lease('deployment', name).describe()).status.name).toBe('COMPLETED');
    expect((await sweep({ delete: true })).missing).toEqual([]);

    const { type, input } = proposed(line?.next ?? '');
    expect(type).toBe('deploy');
    await service.execute('deploy', input);
    await expectInvariants(service, model);
  });

  it('a candidate without its model is archived', async () => {
    await service.execute('train', conversation(model));
    const { modelName, modelId } = await versionOf(model);
    await service.stranger.bedrock.send(new DeleteCustomModelCommand({ modelIdentifier: modelId }));
    const [line] = (await sweep()).missing;
    expect(line).toMatchObject({ kind: 'model', name: modelName, model, action: 'reported' });
    expect(proposed(line?.next ?? '')).toMatchObject({ type: 'fineTune', input: { model } });
    expect((await sweep({ delete: true })).missing).toMatchObject([{ name: modelName, action: 'corrected' }]);
    expect(await versionOf(model)).toMatchObject({ status: 'archived' });
    await expectInvariants(service, model);
  });
});

describe('files', () => {
  it('uploads that came to no end are given up where only Anneal writes, and nowhere else', async () => {
    const { bucket } = service.dependencies;
    const keys = [`models/${model}/datasets/x/training.jsonl`, `elsewhere/${model}.jsonl`];
    for (const Key of keys) {
      await service.stranger.s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    }
    const unfinished = async () => {
      const { Uploads = [] } = await service.stranger.s3.send(
        new ListMultipartUploadsCommand({ Bucket: bucket }),
      );
      return Uploads.map(({ Key }) => Key);
    };
    expect((await sweep({ graceMinutes: 500_000 })).orphans).toEqual([]);
    expect((await sweep()).orphans).toMatchObject([{ kind: 'upload', model, action: 'reported' }]);
    expect(await unfinished()).toHaveLength(2);
    await sweep({ delete: true });
    expect(await unfinished()).toEqual([`elsewhere/${model}.jsonl`]);
  });

  it('a dataset goes once it is old and no version needs it; reports stay', async () => {
    const { objects, bucket } = service.dependencies;
    const built = await service.execute('buildDataset', conversation(model));
    expect((await sweep()).orphans).toEqual([]);
    const result = await sweep({ delete: true, datasetDays: 0 });
    expect(result.orphans.filter((entry) => entry.model === model)).toMatchObject([
      { kind: 'dataset', action: 'deleted' },
    ]);
    expect(await objects.getText(built.dataset?.uri ?? '')).toBeNull();
    const { datasetManifestUri, reportUri } = await versionOf(kept);
    expect(await objects.getText(datasetManifestUri)).not.toBeNull();
    expect(await objects.getText(reportUri ?? '')).not.toBeNull();
    expect((await objects.list(`s3://${bucket}/models/${kept}/jobs/`)).length).toBeGreaterThan(0);
    await expectInvariants(service, kept);
  });

  it('a converted base model goes once no version is served on it, and an uploaded one stays', async () => {
    const { objects, bucket, registry } = service.dependencies;
    const put = async (fingerprint: string) => {
      const prefix = `s3://${bucket}/converted-base-models/${model}-${fingerprint}/q8_0`;
      await objects.put(`${prefix}.json`, '{}');
      await objects.put(`${prefix}/1.gguf`, 'weights');
      return `${prefix}/1.gguf`;
    };
    const own = `s3://${bucket}/base-models/mistral-7b-instruct/config.json`;
    await objects.put(own, '{}');
    const needed = await put('needed');
    const superfluous = await put('superfluous');
    const { version } = await versionOf(kept);
    const file = { sha256: '1'.repeat(64), bytes: 7, metadata: {} };
    await registry.recordArtifact({ workflowId: `convert/${kept}`, runId: randomUUID() }, kept, version, {
      format: 'gguf',
      quantization: 'q8_0',
      uri: `s3://${bucket}/models/${kept}/adapter.gguf`,
      baseModel: 'tiny',
      ...file,
      base: { uri: needed, fingerprint: '', ...file },
    });
    expect((await sweep()).orphans).toEqual([]);
    expect((await sweep({ delete: true, datasetDays: 0 })).orphans).toMatchObject([
      { kind: 'base-model', model: null, action: 'deleted' },
    ]);
    expect(await objects.head(own), 'what somebody uploaded to train on').not.toBeNull();
    expect(await objects.head(needed)).not.toBeNull();
    expect(await objects.list(`s3://${bucket}/converted-base-models/${model}-superfluous/`)).toEqual([]);
    expect(await objects.head(superfluous)).toBeNull();
  });
});
