import { DeleteCustomModelDeploymentCommand } from '@aws-sdk/client-bedrock';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { shuffleAnswers } from '../../src/client/demo/shuffle-answers.js';
import { renderConversation } from '../../src/domain/dataset/conversation-format.js';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationsFile, stylist, writeLines } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** What the champion says to a fixed question; the sandbox's models answer the same question alike. */
async function championAnswer(model: string): Promise<string> {
  const { registry, providers } = service.dependencies;
  const { target, deploymentId } = (await registry.champion(model))?.deployment ?? {};
  const answer = await providers.inference.get(target ?? '')?.ask({
    modelId: deploymentId ?? '',
    system: null,
    turns: [{ role: 'user', text: 'VERDICT: smart_pick' }],
    maxTokens: 200,
    temperature: 0,
  });
  return answer?.text ?? '';
}

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

describe.concurrent('the validation stage of fineTune', () => {
  it('rejects a model that learned shuffled answers; the champion is untouched and goes on answering', async () => {
    const model = service.newModel();
    await service.execute('fineTune', stylist(model));
    const before = await championAnswer(model);
    const live = (await service.live()).filter(({ name }) => name.startsWith(model));

    const { builder } = service.dependencies.recipes.get('stylist') ?? {};
    const records = [...(builder?.build({ backend: 'phrase-bank', records: 400, seed: 1 }) ?? [])];
    const rows = shuffleAnswers(records, 1, 11).map((record) => renderConversation(record).trimEnd());
    const source = { kind: 'file', path: writeLines('shuffled.jsonl', rows) };
    const result = await service.execute('fineTune', stylist(model, { dataset: { source } }));
    expect(result).toMatchObject({ outcome: 'rejected', verdict: 'failed', version: 2, champion: 1 });
    expect(result.report).toMatch(/report\.html$/);
    expect(await service.dependencies.objects.getText(result.report ?? '')).toContain('verdict');
    expect(result.billing.map(({ owner }) => owner)).toEqual(['champion', 'champion']);

    const after = (await service.live()).filter(({ name }) => name.startsWith(model));
    expect(after.map(({ resource }) => resource)).toEqual(live.map(({ resource }) => resource));
    expect(await championAnswer(model)).toBe(before);
    expect(before).not.toBe('');
    const versions = await service.dependencies.registry.versions(model);
    expect(versions.map(({ status }) => status)).toEqual(['champion', 'rejected']);
    await expectInvariants(service, model);
  });

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

  it('rejects a sample that is too small to tell', async () => {
    const model = service.newModel();
    const result = await service.execute('fineTune', stylist(model, { validation: { samples: 10 } }));
    expect(result).toMatchObject({ outcome: 'rejected', champion: null });
    expect(result.verdict).not.toBe('passed');
    await expectNothingLive(model);
  });
});
