import type { DatasetManifest, DatasetRecord } from '../../../domain/dataset.js';
import type { Recipe } from '../../../domain/recipe.js';
import type { Dependencies } from '../../../workers/dependencies.js';

export interface BaseModelAnswers {
  readonly correct: number;
  readonly asked: number;
  /** Its first answer, as it came. */
  readonly example: string;
}

/** Right answers have some 40 tokens; a model that has not ended by then does not answer as asked. */
const maximumAnswerTokens = 80;

/** Puts the held-out questions to the untrained model, one after the other, and scores them as validation does. */
export async function askBaseModel(input: {
  readonly dependencies: Dependencies;
  readonly recipe: Recipe;
  readonly baseModel: string;
  readonly manifest: DatasetManifest;
  readonly samples: number;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}): Promise<BaseModelAnswers> {
  const { dependencies, recipe, baseModel, manifest, samples, signal, progress } = input;
  const client = dependencies.providers.inference.get('llama-cpp');
  if (!client) throw new Error('There is no target llama-cpp');
  const heldOut = await readHeldOut(dependencies, manifest);
  const questions = recipe.suite({ suite: 'held-out', samples, seed: 1, heldOut });
  let correct = 0;
  let example = '';
  for (const [index, question] of questions.entries()) {
    signal.throwIfAborted();
    const { system, turns } = question;
    const { temperature } = recipe.defaults.validation;
    const answer = await client.ask(
      { modelId: baseModel, system, turns, maxTokens: maximumAnswerTokens, temperature },
      signal,
    );
    if (index === 0) example = answer.text;
    correct += recipe.score(question, answer.text).metrics.correct ?? 0;
    if ((index + 1) % 5 === 0) progress(`${index + 1} of ${questions.length} questions answered`);
  }
  return { correct, asked: questions.length, example };
}

async function readHeldOut(
  { objects }: Dependencies,
  { heldOut }: DatasetManifest,
): Promise<DatasetRecord[]> {
  const text = heldOut && (await objects.getText(heldOut.uri));
  return (text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as DatasetRecord);
}
