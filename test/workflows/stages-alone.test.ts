import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  // Two seconds, so that there is a moment to cancel in.
  service = await startService({ sandbox: { deploymentMinutes: 120 } });
});
afterAll(() => service.stop());

const liveOf = async (model: string) =>
  (await service.live())
    .filter(({ name }) => name.startsWith(`${model}-`))
    .map(({ kind }) => kind)
    .sort();

/** The command that a result proposes next, as its type and input. */
function proposed(next: string): { type: string; input: unknown } {
  const [, type = ''] = /--type (\w+)/.exec(next) ?? [];
  const [, input = ''] = /--input '(.*)'/.exec(next) ?? [];
  return { type, input: JSON.parse(input) };
}

async function refused(type: string, input: object, failure: string, message: RegExp): Promise<void> {
  const ending = await service.run(type, input);
  expect(ending).toMatchObject({ closed: 'failed', type: failure });
  expect((ending as { message: string }).message).toMatch(message);
}

describe.concurrent('one stage at a time', () => {
  it('goes from data to champion, to a second one, back, and away, each result naming the next command', async () => {
    const model = service.newModel();
    const built = await service.execute('buildDataset', conversation(model));
    expect(built).toMatchObject({ outcome: 'built', spendUsd: 0 });
    expect((await service.ledger()).filter(({ name }) => name.startsWith(model))).toEqual([]);

    const train = proposed(built.next);
    expect(train).toMatchObject({ type: 'train', input: { dataset: { source: { kind: 'manifest' } } } });
    const trained = await service.execute('train', train.input);
    expect(trained).toMatchObject({
      outcome: 'trained',
      version: 1,
      dataset: { sha256: built.dataset?.sha256 },
    });
    expect(await liveOf(model)).toEqual(['customModel']);
    await expectInvariants(service, model);

    await refused('validate', { model }, 'InvalidInput', /not deployed; start deploy with \{"model":/);
    await refused('promote', { model }, 'InvalidInput', /not deployed; start deploy with/);
    await refused('rollback', { model }, 'InvalidInput', /there is no previous champion/);

    expect(proposed(trained.next)).toEqual({ type: 'deploy', input: { model, version: 1 } });
    const deployed = await service.execute('deploy', { model, version: 1 });
    expect(deployed).toMatchObject({ outcome: 'deployed', version: 1 });
    expect(await liveOf(model)).toEqual(['customModel', 'deployment']);
    await expectInvariants(service, model);
    await refused('deploy', { model }, 'Conflict', /deployed already/);
    await refused(
      'promote',
      { model },
      'InvalidInput',
      /verdict none; only a passed version.*Start validate/,
    );

    const validated = await service.execute('validate', { model, validation: { samples: 4 } });
    expect(validated).toMatchObject({ outcome: 'validated', verdict: 'passed' });
    const promoted = await service.execute('promote', { model, by: 'Ada', notes: 'first' });
    expect(promoted).toMatchObject({ outcome: 'promoted', champion: 1, previousChampion: null });
    await expectInvariants(service, model);

    const source = { kind: 'file', path: conversationsFile('garment') };
    const second = await service.execute('fineTune', conversation(model, { dataset: { source } }));
    expect(second).toMatchObject({ outcome: 'promoted', champion: 2, previousChampion: 1 });
    await expectInvariants(service, model);

    const back = await service.execute('rollback', { model, by: 'Ada' });
    expect(back).toMatchObject({ outcome: 'rolledBack', champion: 1, previousChampion: 2 });
    await expectInvariants(service, model);

    await refused('teardown', { model, version: 1 }, 'InvalidInput', /champion .*"force": true/);
    const cleaned = await service.execute('teardown', { model });
    expect(cleaned).toMatchObject({ outcome: 'tornDown' });
    expect(await liveOf(model)).toEqual(['customModel', 'deployment']);
    await expectInvariants(service, model);
    await service.execute('teardown', { model, version: 1, force: true });
    expect(await liveOf(model)).toEqual([]);
    expect(await service.dependencies.registry.champion(model)).toBeNull();
    await service.execute('teardown', { model });
    await expectInvariants(service, model);

    const history = await service.dependencies.registry.history(model);
    expect(history.map(({ action, version }) => `${action} ${version}`)).toEqual([
      'deploy 1',
      'promote 1',
      'deploy 2',
      'promote 2',
      'rollback 1',
      'teardown 2',
      'teardown 1',
    ]);
  });

  it('rolls back to a champion whose hourly deployment was given back', async () => {
    const model = service.newModel();
    const deployment = { target: 'bedrock-provisioned' };
    const spec = conversation(model, { deployment, budgetUsd: 200 });
    await service.execute('fineTune', spec);
    await service.execute('fineTune', { ...spec, force: true });
    expect(await liveOf(model)).toEqual(['customModel', 'customModel', 'provisionedThroughput']);
    const back = await service.execute('rollback', { model, deployment });
    expect(back).toMatchObject({ outcome: 'rolledBack', champion: 1, previousChampion: 2 });
    expect(await liveOf(model)).toEqual(['customModel', 'customModel', 'provisionedThroughput']);
    await expectInvariants(service, model);
  });

  it('gives the new deployment back when deploy is cancelled, keeps the model, and can deploy again', async () => {
    const model = service.newModel();
    await service.execute('train', conversation(model));
    const handle = await service.start('deploy', { model });
    await service.awaitStatus(handle, ({ deployment }) => Boolean(deployment?.id));
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    expect(await liveOf(model)).toEqual(['customModel']);
    await expectInvariants(service, model);
    expect(await service.execute('deploy', { model })).toMatchObject({ outcome: 'deployed' });
    await expectInvariants(service, model);
  });

  it('promotes by force what did not pass, and says so in the history', async () => {
    const model = service.newModel();
    await service.execute('train', conversation(model));
    await service.execute('deploy', { model });
    expect(await service.execute('promote', { model, force: true })).toMatchObject({
      champion: 1,
      verdict: null,
    });
    const history = await service.dependencies.registry.history(model);
    expect(history.at(-1)).toMatchObject({ action: 'promote', notes: 'promoted by force' });
    await expectInvariants(service, model);
  });

  it.each(['deploy', 'validate', 'promote', 'rollback', 'teardown'])(
    '%s refuses an unknown model and version',
    async (type) => {
      const model = service.newModel();
      await refused(type, { model }, 'InvalidInput', /model: .*known versions: none/);
      await refused(
        type,
        { model, version: 7 },
        'InvalidInput',
        /version: .*version 7.*known versions: none/,
      );
    },
  );

  it('refuses a manifest that does not exist or was changed', async () => {
    const model = service.newModel();
    const built = await service.execute('buildDataset', conversation(model));
    const uri = built.dataset?.uri ?? '';
    const fromManifest = (of: string) => ({
      ...conversation(model),
      dataset: { source: { kind: 'manifest', uri: of } },
    });
    await refused(
      'train',
      fromManifest('s3://anneal/nowhere/manifest.json'),
      'InvalidInput',
      /does not exist/,
    );
    const { objects } = service.dependencies;
    const manifest = JSON.parse((await objects.getText(uri)) ?? '') as { training: { uri: string } };
    await objects.put(manifest.training.uri, 'changed', 'application/x-ndjson');
    await refused('train', fromManifest(uri), 'DatasetRejected', /changed after it was built/);
  });
});
