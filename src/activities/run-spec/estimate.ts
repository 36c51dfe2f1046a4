import type { DatasetManifest } from '../../domain/dataset.js';
import { type CostEstimate, inferenceUsd, totalUsd, trainingUsd } from '../../domain/money.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';

/** An hourly deployment is expected to live this long while a candidate is validated. */
const candidateHours = 1;
/** Tokens that a validation question and its answer are expected to have, above the dataset's own average. */
const answerAllowanceTokens = 60;

/** What a run is expected to cost: training by token and epoch, the deployment's hour, the questions asked. */
export function estimateCost(
  spec: ResolvedRunSpec,
  dataset: Pick<DatasetManifest, 'trainingTokens' | 'training'>,
): CostEstimate {
  const { prices } = spec;
  const tokensPerRecord = dataset.trainingTokens / Math.max(1, dataset.training.records);
  const items = [
    {
      what: `training: ${dataset.trainingTokens} tokens × ${prices.epochs} epochs`,
      usd: trainingUsd({
        tokens: dataset.trainingTokens,
        epochs: prices.epochs,
        usdPerThousandTokens: prices.usdPerThousandTrainingTokens,
      }),
    },
    {
      what: `deployment: ${candidateHours} h on ${spec.deployment.target}`,
      usd: prices.deploymentUsdPerHour * candidateHours,
    },
    {
      what: `validation: ${spec.validation.samples} questions`,
      usd: inferenceUsd({
        inputTokens: tokensPerRecord * spec.validation.samples,
        outputTokens: (tokensPerRecord / 3 + answerAllowanceTokens) * spec.validation.samples,
        ...prices,
      }),
    },
  ];
  return { items, totalUsd: totalUsd(items) };
}
