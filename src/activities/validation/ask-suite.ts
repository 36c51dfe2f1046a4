import pMap from 'p-map';
import type { EvaluationCase, ScoredAnswer } from '../../domain/evaluation/evaluation.js';
import type { Recipe } from '../../domain/recipe.js';
import type { ObjectStore } from '../dataset/object-store.js';
import type { InferenceClient } from '../inference/client.js';

export interface AskSuiteInput {
  readonly recipe: Recipe;
  readonly questions: readonly EvaluationCase[];
  readonly client: InferenceClient;
  readonly modelId: string;
  readonly temperature: number;
  readonly objects: ObjectStore;
  /** Where answers are kept, so that a killed worker's successor asks no question twice. */
  readonly answersUri: string;
  readonly signal: AbortSignal;
  readonly onProgress: (answered: number) => void;
}

const chunkSize = 50;
const questionsAtOnce = 4;
const maximumAnswerTokens = 1000;

/**
 * Puts every question to the model once and scores its raw first answer. Finished chunks are stored; an
 * attempt that takes over reads those instead of asking, and paying, again.
 */
export async function askSuite(input: AskSuiteInput): Promise<ScoredAnswer[]> {
  const answers: ScoredAnswer[] = [];
  for (let start = 0; start < input.questions.length; start += chunkSize) {
    input.signal.throwIfAborted();
    const questions = input.questions.slice(start, start + chunkSize);
    const uri = `${input.answersUri}/${String(start).padStart(6, '0')}.jsonl`;
    answers.push(...((await storedChunk(input, uri)) ?? (await askChunk(input, questions, uri))));
    input.onProgress(answers.length);
  }
  return answers;
}

async function storedChunk({ objects }: AskSuiteInput, uri: string): Promise<ScoredAnswer[] | null> {
  const text = await objects.getText(uri);
  if (text === null) return null;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ScoredAnswer);
}

async function askChunk(
  input: AskSuiteInput,
  questions: readonly EvaluationCase[],
  uri: string,
): Promise<ScoredAnswer[]> {
  const answers = await pMap(questions, (question) => ask(input, question), {
    concurrency: questionsAtOnce,
    signal: input.signal,
  });
  await input.objects.put(
    uri,
    answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''),
    'application/jsonl',
  );
  return answers;
}

async function ask(input: AskSuiteInput, question: EvaluationCase): Promise<ScoredAnswer> {
  const { recipe, client, modelId, temperature, signal } = input;
  const answer = await client.ask(
    {
      modelId,
      system: question.system,
      turns: question.turns,
      maxTokens: maximumAnswerTokens,
      temperature,
      answerSchema: recipe.answerSchema,
    },
    signal,
  );
  const score = recipe.score(question, answer.text);
  const checked = score.document === null ? null : recipe.checkAnswer(score.document, {});
  return {
    caseId: question.id,
    question: question.turns.at(-1)?.text ?? '',
    answer: answer.text,
    expected: question.expected,
    score,
    violations: checked === null ? [] : [...checked.violations, ...checked.warnings],
    latencyMs: answer.latencyMs,
    inputTokens: answer.inputTokens,
    outputTokens: answer.outputTokens,
  };
}
