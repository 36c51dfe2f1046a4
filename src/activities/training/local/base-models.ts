import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { didYouMean, type InputProblem } from '../../../domain/parse-input.js';

/** A Hugging Face model folder of that name; it need not exist. */
export function baseModelPath(home: string, baseModel: string): string {
  return join(baseModelsDirectory(home), baseModel);
}

/** Names of the base models that this machine can train: folders that hold a `config.json`. */
export function listBaseModels(home: string): string[] {
  const directory = baseModelsDirectory(home);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => existsSync(join(directory, name, 'config.json')))
    .sort();
}

/** Says what is wrong with the name of a base model; null when it is there. */
export function checkBaseModel(home: string, baseModel: string): InputProblem | null {
  const names = listBaseModels(home);
  if (names.includes(baseModel)) return null;
  const remedy = 'run `anneal setup local`, or put a Hugging Face model folder there';
  const there = names.length > 0 ? names.join(', ') : 'nothing yet';
  return {
    path: 'training.baseModel',
    found: `"${baseModel}"`,
    allowed: `what lies in ${baseModelsDirectory(home)} (${there}); ${remedy}`,
    hint: didYouMean(baseModel, names),
  };
}

function baseModelsDirectory(home: string): string {
  return join(home, 'local', 'base-models');
}
