import { expect, it } from 'vitest';
import { estimateCost } from '../../src/activities/run-spec/estimate.js';

const prices = {
  epochs: 3,
  usdPerThousandTrainingTokens: 0,
  trainingByHour: { machine: 'ml.g5.xlarge', usdPerHour: 1.408, maximumHours: 2 },
  modelStorageUsdPerHour: 0,
  deploymentUsdPerHour: 0,
  deploymentUnits: 1,
  commitmentUsd: null,
  usdPerThousandInputTokens: 0,
  usdPerThousandOutputTokens: 0,
};
const spec = {
  prices,
  deployment: { target: 'llama-cpp', settings: {} },
  validation: { suite: 'golden', policy: 'any', samples: 10, seed: 1, temperature: 0 },
};
const dataset = { trainingTokens: 1000, training: { uri: 's3://b/k', sha256: '', bytes: 1, records: 10 } };

it('training on a machine is estimated at the most that it may take, whatever the tokens', () => {
  const { items, totalUsd } = estimateCost(spec, dataset, false);
  expect(items).toEqual([{ what: 'training: at most 2 h × $1.41 on ml.g5.xlarge', usd: 2.816 }]);
  expect(totalUsd).toBe(2.816);
});
