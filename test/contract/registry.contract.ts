import { beforeAll, describe, expect, test } from 'vitest';
import type { Author, Registry } from '../../src/activities/registry/registry.js';
import type { DatasetManifest } from '../../src/domain/dataset.js';
import type { TrainingJobDescription } from '../../src/domain/training-job.js';

const first: Author = { workflowId: 'fine-tune/stylist', runId: 'run-1' };
const second: Author = { workflowId: 'fine-tune/stylist', runId: 'run-2' };

/** Holds every registry to its promises. `setup` gives one registry, empty or at least without these models. */
export function describeRegistry(name: string, setup: () => Promise<Registry>): void {
  describe(`registry: ${name}`, () => {
    let registry: Registry;
    beforeAll(async () => {
      registry = await setup();
    });
    const get = () => registry;
    describe('versions', () => versionTests(get));
    describe('promotion', () => promotionTests(get));
    describe('retirement', () => retirementTests(get));
    describe('records', () => recordTests(get));
    describe('what served when', () => servedAtTests(get));
  });
}

function versionTests(registry: () => Registry): void {
  test('count from one, in the order of registration', async () => {
    const a = await registry().registerVersion(first, newVersion('counting', 'counting-a'));
    const b = await registry().registerVersion(second, newVersion('counting', 'counting-b'));
    expect([a.version, b.version]).toEqual([1, 2]);
    expect(a).toEqual({
      ...newVersion('counting', 'counting-a'),
      version: 1,
      artifact: null,
      status: 'candidate',
      verdict: null,
      reportUri: null,
      deployment: null,
      workflowId: first.workflowId,
      runId: first.runId,
    });
    expect(await registry().versions('counting')).toEqual([a, b]);
    expect(await registry().version('counting', 2)).toEqual(b);
  });

  test('registering a trained model again returns the version that it has', async () => {
    const once = await registry().registerVersion(first, newVersion('repeated', 'repeated-a'));
    const again = await registry().registerVersion(second, newVersion('repeated', 'repeated-a'));
    expect(again).toEqual(once);
    expect(await registry().versions('repeated')).toHaveLength(1);
  });

  test('a version remembers what it was converted to', async () => {
    const { version } = await registry().registerVersion(first, newVersion('converted', 'converted-a'));
    const artifact = {
      format: 'gguf' as const,
      quantization: 'q8_0' as const,
      uri: 's3://anneal/models/converted/jobs/converted-a/gguf/q8_0.gguf',
      sha256: 'a'.repeat(64),
      bytes: 144_000_000,
      baseModel: 'smollm2-135m-instruct',
      metadata: { architecture: 'llama', contextLength: 8192 },
    };
    await registry().recordArtifact(first, 'converted', version, artifact);
    await registry().recordArtifact(first, 'converted', version, artifact);
    expect(await registry().version('converted', version)).toMatchObject({ artifact, status: 'candidate' });
    await expect(registry().recordArtifact(first, 'converted', 9, artifact)).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });

  test('a trained model belongs to one registered model', async () => {
    await registry().registerVersion(first, newVersion('mine', 'shared-name'));
    await expect(registry().registerVersion(first, newVersion('yours', 'shared-name'))).rejects.toMatchObject(
      {
        type: 'Conflict',
        message: expect.stringContaining('"mine"'),
      },
    );
  });

  test('registered at the same moment never share a number and leave no gap', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `racing-${index % 6}`);
    const versions = await Promise.all(
      names.map((modelName) => registry().registerVersion(first, newVersion('racing', modelName))),
    );
    const byName = new Map(versions.map(({ modelName, version }) => [modelName, version]));
    expect([...byName.values()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await registry().versions('racing')).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('unknown models and versions are null or nothing, never an error', async () => {
    expect(await registry().version('nobody', 1)).toBeNull();
    expect(await registry().champion('nobody')).toBeNull();
    expect(await registry().versions('nobody')).toEqual([]);
    expect(await registry().history('nobody')).toEqual([]);
    expect(await registry().servedAt('nobody', new Date())).toBeNull();
  });
}

function promotionTests(registry: () => Registry): void {
  test('moves the alias, and the old champion becomes the previous one', async () => {
    await registerTwo(registry(), 'moving');
    expect(await registry().promote(first, move('moving', 1))).toEqual({
      champion: 1,
      previousChampion: null,
    });
    expect(await registry().promote(second, move('moving', 2))).toEqual({ champion: 2, previousChampion: 1 });
    expect((await registry().champion('moving'))?.version).toBe(2);
    expect((await registry().versions('moving')).map(({ status }) => status)).toEqual([
      'previous',
      'champion',
    ]);
    expect(await registry().history('moving')).toMatchObject([
      { action: 'promote', version: 1, previousVersion: null, runId: 'run-1', deployedBy: 'tests' },
      { action: 'promote', version: 2, previousVersion: 1, runId: 'run-2', notes: 'because' },
    ]);
  });

  test('promoting the champion again changes nothing and answers the same', async () => {
    await registerTwo(registry(), 'again');
    await registry().promote(first, move('again', 1));
    const once = await registry().promote(second, move('again', 2));
    const history = await registry().history('again');
    expect(await registry().promote(second, { ...move('again', 2), expectedChampion: 1 })).toEqual(once);
    expect(await registry().history('again')).toEqual(history);
  });

  test('rollback restores the previous champion and can be told apart in the history', async () => {
    await registerTwo(registry(), 'back');
    await registry().promote(first, move('back', 1));
    await registry().promote(second, move('back', 2));
    const moved = await registry().promote(third, { ...move('back', 1), action: 'rollback' });
    expect(moved).toEqual({ champion: 1, previousChampion: 2 });
    expect((await registry().champion('back'))?.version).toBe(1);
    expect((await registry().history('back')).at(-1)).toMatchObject({ action: 'rollback', version: 1 });
  });

  test('refuses to overtake somebody else who moved the alias in the meantime', async () => {
    await registerTwo(registry(), 'overtaken');
    await registry().promote(first, move('overtaken', 1));
    await expect(
      registry().promote(second, { ...move('overtaken', 2), expectedChampion: null }),
    ).rejects.toMatchObject({ type: 'Conflict', message: expect.stringContaining('version 1') });
    expect((await registry().champion('overtaken'))?.version).toBe(1);
  });

  test('a repeated call never moves the alias back over a later promotion', async () => {
    await registerTwo(registry(), 'late');
    await registry().promote(first, move('late', 1));
    await registry().promote(second, move('late', 2));
    await expect(registry().promote(first, move('late', 1))).rejects.toMatchObject({ type: 'Conflict' });
    expect((await registry().champion('late'))?.version).toBe(2);
  });

  test('at the same moment leaves one champion and one line of history for each move', async () => {
    const versions = await Promise.all(
      ['a', 'b', 'c', 'd'].map((letter) =>
        registry().registerVersion(first, newVersion('crowded', `crowded-${letter}`)),
      ),
    );
    await Promise.all(
      versions.map(({ version }) =>
        registry().promote({ ...first, runId: `run-${version}` }, move('crowded', version)),
      ),
    );
    const champions = (await registry().versions('crowded')).filter(({ status }) => status === 'champion');
    expect(champions).toHaveLength(1);
    const history = await registry().history('crowded');
    expect(history).toHaveLength(4);
    expect(history.at(-1)?.version).toBe(champions[0]?.version);
    expect(history.slice(1).map(({ previousVersion }) => previousVersion)).toEqual(
      history.slice(0, -1).map(({ version }) => version),
    );
  });

  test('a version that does not exist is refused with the ones that do', async () => {
    await registerTwo(registry(), 'missing');
    await expect(registry().promote(first, move('missing', 7))).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('no version 7; it has 1, 2'),
    });
  });

  test('a rejected version is promoted only after it has been deployed again', async () => {
    await registerTwo(registry(), 'spoilt');
    await registry().retire(first, { model: 'spoilt', version: 1, action: 'reject', notes: '' });
    await expect(registry().promote(first, move('spoilt', 1))).rejects.toMatchObject({ type: 'Conflict' });
    await registry().recordDeployment(second, 'spoilt', 1, deployment('spoilt-again'));
    expect(await registry().promote(second, move('spoilt', 1))).toMatchObject({ champion: 1 });
  });
}

function retirementTests(registry: () => Registry): void {
  test('rejecting marks the version, forgets its deployment and leaves the champion alone', async () => {
    await registerTwo(registry(), 'gated');
    await registry().promote(first, move('gated', 1));
    await registry().recordDeployment(second, 'gated', 2, deployment('gated-d2'));
    const retirement = { model: 'gated', version: 2, action: 'reject', notes: 'gate failed' } as const;
    await registry().retire(second, retirement);
    await registry().retire(second, retirement);
    expect(await registry().version('gated', 2)).toMatchObject({ status: 'rejected', deployment: null });
    expect((await registry().champion('gated'))?.version).toBe(1);
    const rejections = (await registry().history('gated')).filter(({ action }) => action === 'reject');
    expect(rejections).toMatchObject([{ version: 2, deploymentId: 'id-of-gated-d2', notes: 'gate failed' }]);
  });

  test('the champion cannot be rejected, because nothing would take over', async () => {
    await registerTwo(registry(), 'crowned');
    await registry().promote(first, move('crowned', 1));
    await expect(
      registry().retire(second, { model: 'crowned', version: 1, action: 'reject', notes: '' }),
    ).rejects.toMatchObject({ type: 'Conflict' });
    expect((await registry().champion('crowned'))?.version).toBe(1);
  });

  test('tearing down the champion leaves the model without one, once', async () => {
    await registerTwo(registry(), 'closed');
    await registry().promote(first, move('closed', 1));
    const teardown = { model: 'closed', version: 1, action: 'teardown', notes: '' } as const;
    await registry().retire(second, teardown);
    await registry().retire(second, teardown);
    expect(await registry().champion('closed')).toBeNull();
    expect((await registry().version('closed', 1))?.status).toBe('archived');
    expect((await registry().history('closed')).map(({ action }) => action)).toEqual(['promote', 'teardown']);
  });

  test('a version can lose its deployment and keep its model', async () => {
    await registerTwo(registry(), 'standby');
    await registry().recordDeployment(first, 'standby', 1, deployment('standby-d1'));
    await registry().promote(first, move('standby', 1));
    await registry().promote(second, move('standby', 2));
    await registry().forgetDeployment(second, 'standby', 1, 'costs by the hour');
    await registry().forgetDeployment(second, 'standby', 1, 'costs by the hour');
    expect(await registry().version('standby', 1)).toMatchObject({ status: 'previous', deployment: null });
    const undeployed = (await registry().history('standby')).filter(({ action }) => action === 'undeploy');
    expect(undeployed).toMatchObject([{ version: 1, deploymentId: 'id-of-standby-d1' }]);
  });
}

function recordTests(registry: () => Registry): void {
  test('a deployment is kept with its version and written to the history once', async () => {
    await registerTwo(registry(), 'deployed');
    await registry().recordDeployment(first, 'deployed', 1, deployment('deployed-d1'));
    await registry().recordDeployment(first, 'deployed', 1, deployment('deployed-d1'));
    expect((await registry().version('deployed', 1))?.deployment).toEqual(deployment('deployed-d1'));
    expect(await registry().history('deployed')).toMatchObject([
      { action: 'deploy', version: 1, deploymentId: 'id-of-deployed-d1', previousVersion: null },
    ]);
  });

  test('a late repetition does not bring a torn down deployment back', async () => {
    await registerTwo(registry(), 'gone');
    await registry().recordDeployment(first, 'gone', 1, deployment('gone-d1'));
    await registry().retire(first, { model: 'gone', version: 1, action: 'teardown', notes: '' });
    await registry().recordDeployment(first, 'gone', 1, deployment('gone-d1'));
    expect(await registry().version('gone', 1)).toMatchObject({ status: 'archived', deployment: null });
  });

  test('a validation puts verdict and report on the version', async () => {
    await registerTwo(registry(), 'judged');
    const validation = {
      verdict: 'failed',
      policy: 'stylist',
      samples: 1085,
      metrics: { agreement: 0.4, winRate: null },
      checks: [],
      reportUri: 's3://anneal/report.html',
    } as const;
    await registry().recordValidation(first, 'judged', 1, validation);
    await registry().recordValidation(first, 'judged', 1, { ...validation, verdict: 'passed' });
    expect(await registry().version('judged', 1)).toMatchObject({
      verdict: 'failed',
      reportUri: 's3://anneal/report.html',
    });
    await registry().recordValidation(second, 'judged', 1, { ...validation, verdict: 'passed' });
    expect(await registry().version('judged', 1)).toMatchObject({ verdict: 'passed' });
  });

  test('deployments and validations of unknown versions are refused', async () => {
    await expect(
      registry().recordDeployment(first, 'nobody', 1, deployment('nobody-d1')),
    ).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(
      registry().recordValidation(first, 'nobody', 1, {
        verdict: 'passed',
        policy: 'p',
        samples: 1,
        metrics: {},
        checks: [],
        reportUri: 's3://anneal/report.html',
      }),
    ).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  test('datasets and training jobs may be written as often as anybody likes', async () => {
    for (const author of [first, first, second]) {
      await registry().recordDataset(author, 'written', manifest('written'));
      for (const status of ['running', 'succeeded', 'running'] as const) {
        await registry().recordTrainingJob(author, 'written', job, 'arn:job', description(status));
      }
    }
  });
}

function servedAtTests(registry: () => Registry): void {
  test('is answered from the history, for any moment', async () => {
    await registerTwo(registry(), 'served');
    const servedAt = async (at: Date) => (await registry().servedAt('served', at))?.version ?? null;
    const before = new Date(Date.now() - 60_000);
    await registry().promote(first, move('served', 1));
    await registry().promote(second, move('served', 2));
    await registry().promote(third, { ...move('served', 1), action: 'rollback' });
    await registry().retire(third, { model: 'served', version: 1, action: 'teardown', notes: '' });
    const [one, two, back, gone] = (await registry().history('served')).map(({ at }) => new Date(at));
    expect(await servedAt(before)).toBeNull();
    expect(await servedAt(one as Date)).toBe(1);
    expect(await servedAt(two as Date)).toBe(2);
    expect(await servedAt(back as Date)).toBe(1);
    expect(await servedAt(gone as Date)).toBeNull();
    expect(await servedAt(new Date(Date.now() + 60_000))).toBeNull();
  });
}

const third: Author = { workflowId: 'rollback/stylist', runId: 'run-3' };

async function registerTwo(registry: Registry, model: string): Promise<void> {
  await registry.registerVersion(first, newVersion(model, `${model}-a`));
  await registry.registerVersion(second, newVersion(model, `${model}-b`));
}

/** What a finished training run registers. */
export function newVersion(model: string, modelName: string) {
  return {
    model,
    recipe: 'stylist',
    provider: 'bedrock',
    baseModel: 'amazon.nova-micro-v1:0:128k',
    modelName,
    modelId: `arn:aws:bedrock:us-east-1:000000000000:custom-model/${modelName}`,
    jobName: modelName,
    datasetSha256: 'a'.repeat(64),
    datasetManifestUri: `s3://anneal/models/${model}/manifest.json`,
    fingerprint: 'b'.repeat(64),
  };
}

function move(model: string, version: number) {
  return { model, version, action: 'promote', deployedBy: 'tests', notes: 'because' } as const;
}

function deployment(name: string) {
  return { target: 'bedrock-on-demand', name, deploymentId: `id-of-${name}`, usdPerHour: 0 };
}

const job = {
  provider: 'bedrock',
  jobName: 'written-t1',
  baseModel: 'amazon.nova-micro-v1:0:128k',
  hyperparameters: { epochCount: '2', learningRate: '0.00001' },
};

function description(status: 'running' | 'succeeded'): TrainingJobDescription {
  return {
    status,
    rawStatus: status === 'running' ? 'InProgress' : 'Completed',
    progress: 'training in progress',
    failureMessage: null,
    modelId: status === 'running' ? null : 'arn:model',
    trainingLoss: status === 'running' ? null : 0.5,
    validationLoss: null,
    startedAt: '2026-11-21T09:00:00.000Z',
    endedAt: status === 'running' ? null : '2026-11-21T11:00:00.000Z',
    billedHours: null,
  };
}

function manifest(model: string): DatasetManifest {
  const uri = `s3://anneal/models/${model}`;
  return {
    schema: 'dataset-manifest/v1',
    sha256: 'c'.repeat(64),
    format: 'bedrock-conversation-2024',
    manifestUri: `${uri}/manifest.json`,
    training: { uri: `${uri}/train.jsonl`, sha256: 'd'.repeat(64), bytes: 10, records: 8 },
    validation: null,
    heldOut: null,
    records: 8,
    counts: { read: 8, accepted: 8, dropped: {}, byLabel: {} },
    guardrails: { rulesetHash: 'e'.repeat(64), blocks: 0, warnings: 0 },
    trainingTokens: 100,
    tokenizer: 'estimate',
    recipeHash: 'f'.repeat(64),
    source: 'builder:phrase-bank',
  };
}
