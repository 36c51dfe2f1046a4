import type { DatasetRecord } from '../../domain/dataset.js';
import type { CaseScore, EvaluationCase } from '../../domain/evaluation/evaluation.js';
import { PermanentFailure } from '../../domain/failures.js';
import { isJsonObject } from '../../domain/json.js';
import { isSameMathematics, isSameStructure } from './equality.js';
import { asJson, checkModel, optimizationModelSchema, parseModel, readJsonObject } from './model.js';

export const optimizerSuites = ['held-out'] as const;

/** The problems of the validation split, at most `samples`, in the split's order. */
export function optimizerCases(input: {
  readonly suite: string;
  readonly samples: number;
  readonly heldOut: readonly DatasetRecord[];
}): EvaluationCase[] {
  if (input.suite !== 'held-out') {
    throw new PermanentFailure(
      'InvalidInput',
      `validation.suite: found "${input.suite}"; allowed: held-out.`,
    );
  }
  return input.heldOut.slice(0, input.samples).map((record) => {
    const parsed = parseModel(record.turns.at(-1)?.text ?? '');
    return {
      id: record.id,
      groupKey: record.groupKey,
      system: record.system,
      turns: record.turns.slice(0, -1),
      expected: { label: record.label, model: 'model' in parsed ? asJson(parsed.model) : null },
    };
  });
}

/**
 * `accuracy`: the model to the letter; `math.correct`: the same mathematics; `fields.complete`: every member
 * is there and of its type; `business.logic`: the deterministic checks hold.
 */
export function scoreAnswer(question: EvaluationCase, answer: string): CaseScore {
  const read = readJsonObject(answer);
  if ('fault' in read) return { document: null, formatFault: read.fault, metrics: metricsOf(0, 0, 0, 0) };
  const { document } = read;
  const expected = expectedModel(question);
  const given = optimizationModelSchema.safeParse(document);
  if (!given.success) return { document, formatFault: null, metrics: metricsOf(0, 0, 0, 0) };
  const model = given.data;
  return {
    document,
    formatFault: null,
    metrics: metricsOf(
      expected && Number(isSameStructure(model, expected)),
      expected && Number(isSameMathematics(model, expected)),
      1,
      Number(checkModel(model).every((check) => check.passed)),
    ),
  };
}

function metricsOf(
  accuracy: number | null,
  mathematics: number | null,
  complete: number,
  logic: number,
): CaseScore['metrics'] {
  return {
    accuracy,
    'math.correct': mathematics,
    'fields.complete': complete,
    'business.logic': logic,
  };
}

function expectedModel(question: EvaluationCase) {
  const model = isJsonObject(question.expected) ? question.expected.model : null;
  const parsed = optimizationModelSchema.safeParse(model);
  return parsed.success ? parsed.data : null;
}
