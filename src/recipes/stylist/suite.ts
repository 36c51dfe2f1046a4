import type { DatasetRecord } from '../../domain/dataset.js';
import type { CaseScore, EvaluationCase } from '../../domain/evaluation/evaluation.js';
import { PermanentFailure } from '../../domain/failures.js';
import { isJsonObject } from '../../domain/json.js';
import { createSeededRandom } from '../seeded-random.js';
import { hasFittingHeadline, isComplete, readJsonObject, toneOf } from './answer.js';
import type { Catalogue } from './catalogue.js';
import { readPrompt } from './prompt.js';
import { drawScenarios } from './scenario.js';

/** `golden`: fresh scenarios that no builder makes; `held-out`: the validation split of the dataset. */
export const stylistSuites = ['golden', 'held-out'] as const;

export interface SuiteInput {
  readonly suite: string;
  readonly samples: number;
  readonly seed: number;
  readonly heldOut: readonly DatasetRecord[];
}

export function stylistCases(catalogue: Catalogue, input: SuiteInput): EvaluationCase[] {
  if (input.suite === 'golden') return goldenCases(catalogue, input);
  if (input.suite === 'held-out') return heldOutCases(input);
  throw new PermanentFailure(
    'InvalidInput',
    `validation.suite: found "${input.suite}"; allowed: ${stylistSuites.join(', ')}.`,
  );
}

/** Scores form and tone. Whether the words are fit to be read is the ruleset's business. */
export function scoreAnswer(question: EvaluationCase, answer: string): CaseScore {
  const read = readJsonObject(answer);
  if ('fault' in read) return { document: null, formatFault: read.fault, metrics: metricsOf(0, 0, 0) };
  const { document } = read;
  const wanted = isJsonObject(question.expected) ? question.expected.label : null;
  return {
    document,
    formatFault: null,
    metrics: metricsOf(
      Number(isComplete(document)),
      Number(toneOf(document) === wanted),
      Number(hasFittingHeadline(document)),
    ),
  };
}

function metricsOf(complete: number, agreement: number, headlineFits: number): CaseScore['metrics'] {
  return { 'fields.complete': complete, 'verdict.agreement': agreement, 'headline.length.ok': headlineFits };
}

function goldenCases(catalogue: Catalogue, { samples, seed }: SuiteInput): EvaluationCase[] {
  const cases: EvaluationCase[] = [];
  for (const { scenario } of drawScenarios(catalogue, 'suite', seed)) {
    if (cases.length >= samples) break;
    cases.push({
      id: `golden-${seed}-${String(cases.length + 1).padStart(5, '0')}`,
      groupKey: scenario.groupKey,
      system: catalogue.systemPrompt,
      turns: [{ role: 'user', text: scenario.prompt }],
      expected: { label: scenario.result.verdict, score: scenario.result.score },
    });
  }
  return cases;
}

/** At most as many cases as there are held-out records. */
function heldOutCases({ samples, seed, heldOut }: SuiteInput): EvaluationCase[] {
  const chosen = createSeededRandom(`stylist/held-out/${seed}`).sample(heldOut, samples);
  return chosen.map((record) => {
    const turns = record.turns.slice(0, -1);
    const verdict = readPrompt(turns.at(-1)?.text ?? '')?.verdict ?? record.label;
    return {
      id: record.id,
      groupKey: record.groupKey,
      system: record.system,
      turns,
      expected: { label: verdict },
    };
  });
}
