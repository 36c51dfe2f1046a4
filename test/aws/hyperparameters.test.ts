import { BedrockClient } from '@aws-sdk/client-bedrock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBedrockTrainingProvider } from '../../src/activities/training/bedrock.js';
import { loadPrices } from '../../src/aws/prices.js';
import { PermanentFailure } from '../../src/domain/failures.js';

const micro = 'amazon.nova-micro-v1:0:128k';
const roleArn = 'arn:aws:iam::000000000000:role/Bedrock';
const prices = loadPrices('prices/aws.json');
// Resolving asks nobody: this client is never used.
const bedrock = new BedrockClient({ region: 'us-east-1' });
const provider = createBedrockTrainingProvider({ bedrock, prices, defaults: { roleArn } });

function resolve(input: Partial<Parameters<typeof provider.resolve>[0]>) {
  return provider.resolve({ baseModel: micro, hyperparameters: {}, settings: {}, records: 1000, ...input });
}

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(PermanentFailure);
    expect((error as PermanentFailure).type).toBe('InvalidInput');
    return (error as PermanentFailure).message;
  }
  throw new Error('nothing was refused');
}

describe('hyperparameters on Bedrock', () => {
  test("have Nova's defaults", () => {
    expect(resolve({ records: null }).hyperparameters).toEqual({
      epochCount: '2',
      learningRate: '0.00001',
    });
  });

  test('a batch size of 1 is accepted but not sent, because Bedrock has no such setting', () => {
    expect(resolve({ hyperparameters: { batchSize: 1 } })).toEqual(resolve({}));
  });

  test.each([
    ['amazon.nova-micro-v1:0:128k', 1085, '2'],
    ['amazon.nova-micro-v1:0:128k', 320, '1'],
    ['amazon.nova-micro-v1:0:128k', 319, '0'],
    ['amazon.nova-lite-v1:0:300k', 1085, '7'],
    ['amazon.nova-lite-v1:0:300k', 20_000, '100'],
    ['amazon.nova-pro-v1:0:300k', 1085, '3'],
    ['amazon.nova-pro-v1:0:300k', 8, '0'],
  ])('%s warms up for %i records in %s steps', (baseModel, records, steps) => {
    expect(resolve({ baseModel, records }).hyperparameters.learningRateWarmupSteps).toBe(steps);
  });

  test('a warm-up that was asked for is kept', () => {
    const { hyperparameters } = resolve({ hyperparameters: { learningRateWarmupSteps: 33 } });
    expect(hyperparameters.learningRateWarmupSteps).toBe('33');
  });

  test('what is in range is taken as a plain decimal number, what is not is refused by its path', () => {
    const value = fc.oneof(
      fc.double({ noNaN: true, min: -10, max: 10 }),
      fc.integer({ min: -2, max: 8 }),
      fc.constantFrom('3', '1e-5', '', 'three', '0x2', '2.5', ' ', 'NaN', 'Infinity'),
    );
    fc.assert(
      fc.property(fc.constantFrom('epochCount', 'learningRate'), value, (name, given) => {
        const [min, max] = name === 'epochCount' ? [1, 5] : [1e-6, 1e-4];
        const number = typeof given === 'string' && given.trim() === '' ? Number.NaN : Number(given);
        const fits = number >= min && number <= max && (name !== 'epochCount' || Number.isInteger(number));
        const work = () => resolve({ hyperparameters: { [name]: given } });
        if (fits) {
          expect(Number(work().hyperparameters[name])).toBe(number);
          expect(work().hyperparameters[name]).toMatch(/^\d+(\.\d+)?$/);
        } else {
          expect(problemOf(work)).toContain(`training.hyperparameters.${name}: found`);
        }
      }),
    );
  });

  test('resolving twice changes nothing, so that a resolved spec can be resolved again with its records', () => {
    const first = resolve({ hyperparameters: { epochCount: 3 }, settings: { kmsKeyId: 'alias/key' } });
    expect(resolve(first)).toEqual(first);
  });

  test('every fault of a spec is named in one error, with what is allowed', () => {
    const message = problemOf(() =>
      resolve({
        hyperparameters: { epochCount: 9, epochcount: 3, batchSize: 32 },
        settings: { roleARN: roleArn },
        records: 7,
      }),
    );
    expect(message).toContain(
      'training.hyperparameters.epochCount: found 9; allowed: whole numbers from 1 to 5',
    );
    expect(message).toMatch(
      /training\.hyperparameters\.epochcount: found an unknown .* Did you mean "epochCount"/,
    );
    expect(message).toContain('training.hyperparameters.batchSize: found 32; allowed: 1 only');
    expect(message).toMatch(/training\.settings\.roleARN: .* Did you mean "roleArn"/);
    expect(message).toContain('dataset: found 7 training records; allowed: 8 to 20000');
  });
});

describe('base models on Bedrock', () => {
  test.each([
    ['amazon.nova-micro-v1:0', /Did you mean "amazon\.nova-micro-v1:0:128k"/],
    ['amazon.nova-mirco-v1:0:128k', /Did you mean "amazon\.nova-micro-v1:0:128k"/],
    ['anthropic.claude-3-haiku-20240307-v1:0:200k', /retired on 2026-09-10; allowed: amazon\.nova-micro/],
    ['gpt-4o-mini', /found "gpt-4o-mini"; allowed: amazon\.nova-micro/],
  ])('%s is refused with what can be trained', (baseModel, expected) => {
    expect(problemOf(() => resolve({ baseModel }))).toMatch(expected);
  });

  test('are priced by token and epoch, and their models by the hour', () => {
    expect(resolve({ hyperparameters: { epochCount: 3 } })).toMatchObject({
      usdPerThousandTokens: 0.001,
      epochs: 3,
    });
    expect(provider.storageUsdPerHour(micro)).toBeCloseTo(1.95 / 730, 6);
  });
});

describe('training settings on Bedrock', () => {
  test('take role, network and key as Bedrock names them', () => {
    const settings = {
      roleArn: 'arn:aws:iam::123456789012:role/Other',
      vpcConfig: { subnetIds: ['subnet-1a'], securityGroupIds: ['sg-2b'] },
      kmsKeyId: 'alias/models',
    };
    expect(resolve({ settings }).settings).toEqual(settings);
    expect(resolve({}).settings).toEqual({ roleArn });
  });

  test('without any role name both places where it can be given', () => {
    const roleless = createBedrockTrainingProvider({ bedrock, prices, defaults: { roleArn: null } });
    const message = problemOf(() =>
      roleless.resolve({ baseModel: micro, hyperparameters: {}, settings: {}, records: null }),
    );
    expect(message).toContain('training.settings.roleArn: found nothing');
    expect(message).toContain('ANNEAL_BEDROCK_ROLE_ARN');
  });
});
