import { validationError } from '../api/error.js';

/** A base model that the sandbox knows. */
export interface BaseModel {
  /** As customization names it, with its context length. */
  readonly id: string;
  /** As inference names it. */
  readonly inferenceId: string;
  readonly title: string;
}

export const baseModels: readonly BaseModel[] = [
  { id: 'amazon.nova-micro-v1:0:128k', inferenceId: 'amazon.nova-micro-v1:0', title: 'Nova Micro' },
  { id: 'amazon.nova-lite-v1:0:300k', inferenceId: 'amazon.nova-lite-v1:0', title: 'Nova Lite' },
  { id: 'amazon.nova-pro-v1:0:300k', inferenceId: 'amazon.nova-pro-v1:0', title: 'Nova Pro' },
];

/** Models that could be customized once; submitting to them is refused with the reason. */
const ended: Readonly<Record<string, string>> = {
  'anthropic.claude-3-haiku-20240307-v1:0:200k': '2026-09-10',
};

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly whole: boolean;
  readonly standard: string;
}

/** Supervised fine-tuning of Nova understanding models. */
const novaHyperParameters: Readonly<Record<string, Range>> = {
  epochCount: { minimum: 1, maximum: 5, whole: true, standard: '2' },
  learningRate: { minimum: 1e-6, maximum: 1e-4, whole: false, standard: '0.00001' },
  learningRateWarmupSteps: { minimum: 0, maximum: 100, whole: true, standard: '10' },
  batchSize: { minimum: 1, maximum: 1, whole: true, standard: '1' },
};

/** The base model that a customization job names; an error says which there are. */
export function customizableModel(identifier: string): BaseModel {
  const id = withoutArn(identifier);
  const model = baseModels.find((each) => each.id === id);
  if (model) return model;
  const endedOn = ended[id];
  if (endedOn) throw validationError(`The model ${id} reached its end of life on ${endedOn}.`);
  throw validationError(
    `The provided base model ${identifier} cannot be customized; the models that can be are ${baseModels
      .map((each) => each.id)
      .join(', ')}.`,
  );
}

/** A base model by any of its names; null when there is none. */
export function findBaseModel(identifier: string): { model: BaseModel; suffixed: boolean } | null {
  const id = withoutArn(identifier);
  const model = baseModels.find((each) => each.id === id || each.inferenceId === id);
  return model ? { model, suffixed: model.id === id } : null;
}

export function foundationModelArn(region: string, id: string): string {
  return `arn:aws:bedrock:${region}::foundation-model/${id}`;
}

/** Checks hyperparameters against the model's ranges and fills in what is missing. */
export function resolveHyperParameters(given: Readonly<Record<string, string>>): Record<string, string> {
  const resolved: Record<string, string> = {};
  for (const [name, text] of Object.entries(given)) {
    const range = novaHyperParameters[name];
    if (!range) {
      throw validationError(
        `The hyperparameter ${name} is not known; allowed are ${Object.keys(novaHyperParameters).join(', ')}.`,
      );
    }
    const value = Number(text);
    const fits = text.trim() !== '' && value >= range.minimum && value <= range.maximum;
    if (!fits || (range.whole && !Number.isInteger(value))) {
      throw validationError(
        `The hyperparameter ${name} is '${text}'; allowed is a ${range.whole ? 'whole ' : ''}number from ${range.minimum} to ${range.maximum}.`,
      );
    }
    resolved[name] = text;
  }
  for (const [name, range] of Object.entries(novaHyperParameters)) {
    if (name !== 'batchSize') resolved[name] ??= range.standard;
  }
  return resolved;
}

function withoutArn(identifier: string): string {
  return identifier.replace(/^arn:aws[^:]*:bedrock:[^:]*::foundation-model\//, '');
}
