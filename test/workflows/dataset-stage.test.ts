import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInvariants } from '../support/invariants.js';
import { conversation, conversationLines, stylist, writeLines } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function expectNothingBought(model: string): Promise<void> {
  const bought = (await service.ledger()).filter(({ name }) => name.startsWith(model));
  expect(bought).toEqual([]);
  await expectInvariants(service, model);
}

const fromFile = (path: string) => ({ dataset: { source: { kind: 'file', path } } });

describe.concurrent('the dataset stage of fineTune', () => {
  it('refuses a file with a broken line, and says where, why and what to do', async () => {
    const model = service.newModel();
    const lines = conversationLines();
    const path = writeLines('broken.jsonl', [...lines.slice(0, 2), '{"messages": [', ...lines.slice(2)]);
    const ending = await service.run('fineTune', conversation(model, fromFile(path)));
    expect(ending).toMatchObject({ closed: 'failed', type: 'DatasetRejected' });
    const { message } = ending as { message: string };
    expect(message).toMatch(/^DatasetRejected: /);
    expect(message).toMatch(/broken\.jsonl:3 /);
    expect(message).toContain(`byte ${Buffer.byteLength(lines.slice(0, 2).join('\n')) + 1}`);
    await expectNothingBought(model);
  });

  it('refuses a file that does not exist', async () => {
    const model = service.newModel();
    const ending = await service.run('fineTune', conversation(model, fromFile('nowhere/rows.jsonl')));
    expect(ending).toMatchObject({
      closed: 'failed',
      message: expect.stringContaining('nowhere/rows.jsonl'),
    });
    await expectNothingBought(model);
  });

  it('refuses fewer records than the provider trains on', async () => {
    const model = service.newModel();
    const path = writeLines('few.jsonl', conversationLines(5));
    const ending = await service.run('fineTune', conversation(model, fromFile(path)));
    expect(ending).toMatchObject({ closed: 'failed', type: 'DatasetRejected' });
    await expectNothingBought(model);
  });

  it('is cancelled in the middle of a big build', async () => {
    const model = service.newModel();
    const source = { kind: 'builder', records: 20_000 };
    const handle = await service.start('fineTune', stylist(model, { dataset: { source } }));
    await service.awaitStatus(handle, ({ stage }) => stage === 'dataset');
    await sleep(100);
    const askedAtMs = Date.now();
    await handle.cancel();
    expect(await service.endOf(handle)).toMatchObject({ closed: 'cancelled' });
    expect(Date.now() - askedAtMs).toBeLessThan(30_000);
    await expectNothingBought(model);
  });
});

describe.concurrent('the guardrails stage of fineTune', () => {
  it('refuses a row that breaks a body-safe rule, naming the rule and the words', async () => {
    const model = service.newModel();
    const answer = {
      headline: 'A dress to hide your problem areas',
      pinch: [
        { text: 'This dress will hide your problem areas', style: 'normal' },
        { text: ' and make you look thinner.', style: 'positive' },
      ],
    };
    const { builder } = service.dependencies.recipes.get('stylist') ?? {};
    const records = [...(builder?.build({ backend: 'phrase-bank', records: 40, seed: 1 }) ?? [])];
    const lines = records.map(({ system, turns }, index) =>
      JSON.stringify({
        schemaVersion: 'bedrock-conversation-2024',
        system: [{ text: system }],
        messages: turns.map(({ role, text }) => ({
          role,
          content: [{ text: role === 'assistant' && index === 6 ? JSON.stringify(answer) : text }],
        })),
      }),
    );
    const path = writeLines('body-unsafe.jsonl', lines);
    const ending = await service.run('fineTune', stylist(model, fromFile(path)));
    expect(ending).toMatchObject({ closed: 'failed', type: 'DatasetRejected' });
    const { message } = ending as { message: string };
    expect(message).toMatch(/body-unsafe\.jsonl:7 /);
    expect(message).toMatch(/rule \d \(R\d/);
    expect(message).toMatch(/"[^"]*(problem area|hide|thinner)[^"]*"/i);
    await expectNothingBought(model);
  });

  it('reports blocks and warnings of a clean dataset in the status', async () => {
    const model = service.newModel();
    const handle = await service.start('fineTune', conversation(model));
    await service.endOf(handle);
    const status = await service.awaitStatus(handle, ({ outcome }) => outcome === 'promoted');
    const guardrails = status.stages.find(({ name }) => name === 'guardrails');
    expect(guardrails).toMatchObject({ status: 'done', note: '0 blocks, 0 warnings on 16 records' });
  });
});
