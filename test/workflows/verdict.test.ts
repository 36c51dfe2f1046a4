import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shuffleAnswers } from '../../src/client/demo/shuffle-answers.js';
import { renderConversation } from '../../src/domain/dataset/conversation-format.js';
import { expectInvariants } from '../support/invariants.js';
import { stylist, writeLines } from '../support/run-specs.js';
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

describe('the verdict of fineTune', () => {
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

  it('rejects a sample that is too small to tell', async () => {
    const model = service.newModel();
    const dataset = { source: { kind: 'builder', records: 60 } };
    const result = await service.execute(
      'fineTune',
      stylist(model, { dataset, validation: { samples: 10 } }),
    );
    expect(result).toMatchObject({ outcome: 'rejected', champion: null });
    expect(result.verdict).not.toBe('passed');
    expect((await service.live()).filter(({ name }) => name.startsWith(model))).toEqual([]);
    await expectInvariants(service, model);
  });
});
