import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workflowTypes } from '../../src/workflows/messages.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function refusal(type: string, input?: unknown): Promise<string> {
  const handle = await service.start(type, input);
  const ending = await Promise.race([
    service.endOf(handle),
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`${type} hangs`)), 60_000)),
  ]);
  expect(ending, JSON.stringify(input)).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
  const { message } = ending as { message: string };
  expect(message).toMatch(/^InvalidInput: /);
  return message;
}

const required = {
  fineTune: 'recipe',
  buildDataset: 'recipe',
  train: 'recipe',
  deploy: 'model',
  validate: 'model',
  promote: 'model',
  rollback: 'model',
  teardown: 'model',
  infer: 'recipe',
  leaseResource: 'resource',
} as const;

describe.concurrent('a bad input fails at once as InvalidInput', () => {
  it.each(Object.entries(required))('%s', async (type, path) => {
    expect(await refusal(type)).toMatch(/\(input\): found nothing; allowed: one JSON object/);
    expect(await refusal(type, [])).toMatch(/\(input\): found \[\]; allowed: one JSON object/);
    expect(await refusal(type, null)).toMatch(/\(input\): found null; allowed: one JSON object/);
    expect(await refusal(type, 'stylist')).toMatch(/\(input\): found "stylist"; allowed: one JSON object/);
    expect(await refusal(type, {})).toMatch(new RegExp(`${path}: found nothing; allowed: `));
    const typo = `${path}s`;
    const message = await refusal(type, { [typo]: 'stylist' });
    expect(message).toContain(`${typo}: found an unknown field; allowed: `);
    expect(message).toContain(`Did you mean "${path}"?`);
  });

  it('sweepOrphans, which needs no input', async () => {
    expect(await refusal('sweepOrphans', [])).toMatch(/\(input\): found \[\]; allowed: one JSON object/);
    expect(await refusal('sweepOrphans', null)).toMatch(/\(input\): found null; allowed: one JSON object/);
    expect(await refusal('sweepOrphans', { delet: true })).toMatch(/delet: .*Did you mean "delete"/);
    expect(await refusal('sweepOrphans', { graceMinutes: -1 })).toMatch(/graceMinutes: found -1/);
    expect(await refusal('sweepOrphans', { releaseIdle: true, idleHours: 2 })).toMatch(
      /releaseIdle: found true; allowed: true only together with "delete": true and "idleHours"/,
    );
  });

  it('names every problem of an input at once', async () => {
    const message = await refusal('fineTune', {
      recipe: 'Stylist!',
      budgetUsd: '25',
      validation: { sample: 100 },
      dataset: { source: { kind: 'bilder' } },
      onRunning: 'queue',
    });
    expect(message).toMatch(/has 5 problems/);
    expect(message).toMatch(/recipe: found "Stylist!"/);
    expect(message).toMatch(/budgetUsd: found "25"; allowed: a value of type number/);
    expect(message).toMatch(/validation\.sample: found an unknown field; .*Did you mean "samples"/);
    expect(message).toMatch(/dataset\.source\.kind: found "bilder"; .*Did you mean "builder"/);
    expect(message).toMatch(/onRunning: found "queue"; allowed: refuse/);
  });

  it.each([
    [{ recipe: 'stylists' }, /recipe: found "stylists"; allowed: .*Did you mean "stylist"/],
    [
      { recipe: 'stylist', deployment: { target: 'bedrock-ondemand' } },
      /deployment\.target: .*Did you mean "bedrock-on-demand"/,
    ],
    [{ recipe: 'stylist', training: { provider: 'bedrok' } }, /training\.provider: .*Did you mean "bedrock"/],
    [{ recipe: 'stylist', training: { baseModel: 'gpt-4' } }, /baseModel/],
    [{ recipe: 'stylist', validation: { suite: 'gold' } }, /validation\.suite: .*Did you mean "golden"/],
    [
      { recipe: 'stylist', validation: { policy: 'strict' } },
      /validation\.policy: found "strict"; allowed: stylist/,
    ],
    [{ recipe: 'conversation' }, /dataset\.source: found nothing/],
  ])('%j', async (input, message) => {
    expect(await refusal('fineTune', input)).toMatch(message);
  });

  it('an unknown workflow type names the types there are', async () => {
    const message = await refusal('finetune', { recipe: 'stylist' });
    for (const type of workflowTypes) expect(message).toContain(type);
    expect(message).toContain('Did you mean "fineTune"?');
  });
});

describe('whatever JSON a run is started with', () => {
  const keys = ['recipe', 'model', 'dataset', 'training', 'validation', 'waiting', 'force', '__proto__', ''];
  const nearlyRunSpec = fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), fc.jsonValue(), {
    maxKeys: 5,
  });

  it('it ends as InvalidInput and never hangs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), nearlyRunSpec), async (input) => {
        await refusal('fineTune', input);
      }),
      { numRuns: 40 },
    );
  });
});
