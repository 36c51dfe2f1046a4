import type { DatasetManifest } from '../../domain/dataset.js';
import {
  type CostEstimate,
  type CostItem,
  formatHours,
  formatPrice,
  formatUsd,
  inferenceUsd,
  totalUsd,
  trainingUsd,
} from '../../domain/money.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';

/** An hourly deployment is expected to live this long while a candidate is validated. */
const candidateHours = 1;
/** Tokens that a validation question and its answer are expected to have, above the dataset's own average. */
const answerAllowanceTokens = 60;
const hoursPerMonth = 730;

type Spec = Pick<ResolvedRunSpec, 'deployment' | 'prices' | 'validation'>;
type Dataset = Pick<DatasetManifest, 'trainingTokens' | 'training'>;

/**
 * What a run is expected to cost: training by token and epoch or by the hours it may take at most, the
 * deployment's hour or a commitment's whole term, the questions asked; beside it, what goes on costing money every month for what the run leaves behind.
 * Without a dataset nothing is trained, a version that exists is deployed; `deploys` is false where a model
 * is only trained.
 */
export function estimateCost(spec: Spec, dataset: Dataset | null, deploys = true): CostEstimate {
  const items = [
    ...(dataset ? [trainingItem(spec, dataset)] : []),
    ...(deploys ? [deploymentItem(spec)] : []),
    ...(dataset && deploys ? [validationItem(spec, dataset)] : []),
  ];
  return { items, totalUsd: totalUsd(items), monthly: monthlyItems(spec, deploys) };
}

function trainingItem({ prices }: Spec, { trainingTokens }: Dataset): CostItem {
  const { epochs, usdPerThousandTrainingTokens, trainingByHour } = prices;
  if (trainingByHour) {
    const { machine, usdPerHour, maximumHours } = trainingByHour;
    return {
      what: `training: at most ${formatHours(maximumHours)} h × ${formatPrice(usdPerHour)} on ${machine}`,
      usd: maximumHours * usdPerHour,
    };
  }
  return {
    what: `training: ${trainingTokens} tokens × ${epochs} epochs × ${formatPrice(usdPerThousandTrainingTokens)} per 1,000`,
    usd: trainingUsd({ tokens: trainingTokens, epochs, usdPerThousandTokens: usdPerThousandTrainingTokens }),
  };
}

function deploymentItem({ deployment, prices }: Spec): CostItem {
  const { commitmentUsd, deploymentUsdPerHour: usdPerHour, deploymentUnits: units } = prices;
  const unitPrice = `${units} ${units === 1 ? 'unit' : 'units'} × ${formatPrice(usdPerHour / units)} on ${deployment.target}`;
  if (commitmentUsd === null) {
    return {
      what: `deployment: ${candidateHours} h × ${unitPrice}`,
      usd: usdPerHour * candidateHours,
    };
  }
  const hours = Math.round(commitmentUsd / usdPerHour);
  return { what: `commitment: the whole term, ${hours} h × ${unitPrice}`, usd: commitmentUsd };
}

function validationItem({ prices, validation }: Spec, { trainingTokens, training }: Dataset): CostItem {
  const { samples } = validation;
  const { usdPerThousandInputTokens, usdPerThousandOutputTokens } = prices;
  const tokensPerRecord = trainingTokens / Math.max(1, training.records);
  const inputTokens = Math.ceil(tokensPerRecord);
  const outputTokens = Math.ceil(tokensPerRecord / 3 + answerAllowanceTokens);
  return {
    what: `validation: ${samples} questions × (${inputTokens} tokens × ${formatPrice(usdPerThousandInputTokens)} + ${outputTokens} × ${formatPrice(usdPerThousandOutputTokens)}) per 1,000`,
    usd: inferenceUsd({
      inputTokens: inputTokens * samples,
      outputTokens: outputTokens * samples,
      ...prices,
    }),
  };
}

/** Not part of the run: what its model bills for as long as it is kept. */
function monthlyItems({ deployment, prices }: Spec, deploys: boolean): CostItem[] {
  const { modelStorageUsdPerHour, deploymentUsdPerHour, commitmentUsd } = prices;
  const storage = { what: 'the trained model, stored', usd: modelStorageUsdPerHour * hoursPerMonth };
  if (!deploys || deploymentUsdPerHour === 0 || commitmentUsd !== null) return [storage];
  return [
    storage,
    {
      what: `the deployment on ${deployment.target}: ${hoursPerMonth} h × ${formatUsd(deploymentUsdPerHour)}`,
      usd: deploymentUsdPerHour * hoursPerMonth,
    },
  ];
}
