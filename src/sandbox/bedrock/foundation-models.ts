import type {
  GetFoundationModelCommandInput,
  ListFoundationModelsCommandInput,
} from '@aws-sdk/client-bedrock';
import { notFoundError } from '../api/error.js';
import type { World } from '../world.js';
import { type BaseModel, baseModels, findBaseModel, foundationModelArn } from './base-models.js';

export function getFoundationModel(_: World, input: GetFoundationModelCommandInput, region: string) {
  const found = findBaseModel(input.modelIdentifier ?? '');
  if (!found) throw notFoundError(`There is no foundation model ${input.modelIdentifier}.`);
  return { modelDetails: describe(found.model, found.suffixed, region) };
}

export function listFoundationModels(_: World, input: ListFoundationModelsCommandInput, region: string) {
  const summaries = baseModels
    .flatMap((model) => [describe(model, false, region), describe(model, true, region)])
    .filter(
      (summary) =>
        (!input.byProvider || summary.providerName === input.byProvider) &&
        (!input.byCustomizationType || summary.customizationsSupported.includes(input.byCustomizationType)) &&
        (!input.byOutputModality || summary.outputModalities.includes(input.byOutputModality)) &&
        (!input.byInferenceType || summary.inferenceTypesSupported.includes(input.byInferenceType)),
    );
  return { modelSummaries: summaries };
}

function describe(model: BaseModel, suffixed: boolean, region: string) {
  const modelId = suffixed ? model.id : model.inferenceId;
  return {
    modelArn: foundationModelArn(region, modelId),
    modelId,
    modelName: model.title,
    providerName: 'Amazon',
    // The sandbox's models read and write text alone, whatever the real ones do.
    inputModalities: ['TEXT'],
    outputModalities: ['TEXT'],
    responseStreamingSupported: false,
    customizationsSupported: suffixed ? ['FINE_TUNING'] : [],
    inferenceTypesSupported: suffixed ? ['PROVISIONED'] : ['ON_DEMAND'],
    modelLifecycle: { status: 'ACTIVE' },
  };
}
