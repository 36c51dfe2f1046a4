import { BedrockClient } from '@aws-sdk/client-bedrock';
import { expect, test } from 'vitest';
import { createBedrockOnDemandTarget } from '../../src/activities/deployment/bedrock-on-demand.js';
import { createBedrockProvisionedTarget } from '../../src/activities/deployment/bedrock-provisioned.js';
import { loadPrices } from '../../src/aws/prices.js';

const baseModel = 'amazon.nova-micro-v1:0:128k';
// Resolving asks nobody: this client is never used.
const options = {
  bedrock: new BedrockClient({ region: 'us-east-1' }),
  prices: loadPrices('prices/aws.json'),
};
const onDemand = createBedrockOnDemandTarget(options);
const provisioned = createBedrockProvisionedTarget(options);

test('on demand costs by token and nothing by the hour', () => {
  expect(onDemand.resolve({ baseModel, settings: {} })).toEqual({
    settings: {},
    usdPerHour: 0,
    units: 1,
    commitmentUsd: null,
    usdPerThousandInputTokens: 0.000035,
    usdPerThousandOutputTokens: 0.00014,
  });
});

test('provisioned throughput is one unit without commitment, and its hour covers the tokens', () => {
  const one = provisioned.resolve({ baseModel, settings: {} });
  expect(one).toMatchObject({
    settings: { modelUnits: 1 },
    usdPerThousandInputTokens: 0,
    usdPerThousandOutputTokens: 0,
  });
  expect(one.usdPerHour).toBeGreaterThan(0);
  expect(provisioned.resolve({ baseModel, settings: { modelUnits: 3 } }).usdPerHour).toBe(3 * one.usdPerHour);
});

test.each([
  ['OneMonth', 31 * 24],
  ['SixMonths', 184 * 24],
])('a commitment of %s is priced for the whole term, at its longest', (commitmentDuration, hours) => {
  const committed = provisioned.resolve({ baseModel, settings: { modelUnits: 2, commitmentDuration } });
  expect(committed).toMatchObject({ settings: { modelUnits: 2, commitmentDuration }, units: 2 });
  expect(committed.commitmentUsd).toBe(committed.usdPerHour * hours);
  expect(provisioned.resolve({ baseModel, settings: { modelUnits: 2 } }).commitmentUsd).toBeNull();
});

test('a commitment of any other term is refused', () => {
  expect(() => provisioned.resolve({ baseModel, settings: { commitmentDuration: 'OneYear' } })).toThrow(
    /deployment\.settings\.commitmentDuration: found "OneYear"; allowed: OneMonth, SixMonths/,
  );
});

test('a request that nobody resolved is checked before anything is bought', async () => {
  const request = {
    target: 'bedrock-provisioned',
    name: 'unchecked',
    idempotencyToken: 'token',
    modelId: 'model',
    tags: {},
    settings: { modelUnits: 0 },
  };
  await expect(provisioned.create(request)).rejects.toMatchObject({ type: 'InvalidInput' });
});

test.each([
  [onDemand, { modelUnits: 1 }, /deployment\.settings\.modelUnits: found an unknown field/],
  [provisioned, { modelUnit: 1 }, /Did you mean "modelUnits"/],
  [provisioned, { modelUnits: 0 }, /deployment\.settings\.modelUnits: found 0/],
  [provisioned, { modelUnits: 1.5 }, /deployment\.settings\.modelUnits: found 1\.5/],
])('settings that a target does not take are refused by their path (%#)', (target, settings, expected) => {
  expect(() => target.resolve({ baseModel, settings })).toThrow(expected);
});

test('a base model without a price is refused with the table to mend', () => {
  expect(() => onDemand.resolve({ baseModel: 'meta.llama3-1-8b', settings: {} })).toThrow(
    /prices\/aws\.json has no price of inputTokens for meta\.llama3-1-8b; add a row/,
  );
});
