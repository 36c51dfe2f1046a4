import { excerpt } from '../../domain/dataset/problem.js';
import type { DatasetRecord } from '../../domain/dataset.js';
import type { Violation } from '../../domain/guardrails/ruleset.js';
import type { Recipe, RowProblem } from '../../domain/recipe.js';
import { askRecipe } from './row-to-record.js';

export interface AnswerCheck {
  readonly problems: readonly RowProblem[];
  /** Hits of rules that only watch. */
  readonly shadows: number;
}

/**
 * Holds a record's answers to the product's own output rules. The last answer, the one that is learned, must
 * be usable; earlier ones are checked where they are documents. A training record needs 0 blocks and 0 warnings.
 */
export function checkAnswers(record: DatasetRecord, recipe: Recipe): AnswerCheck {
  const problems: RowProblem[] = [];
  let shadows = 0;
  for (const [index, turn] of record.turns.entries()) {
    if (turn.role !== 'assistant') continue;
    const check = checkAnswer(turn.text, `messages[${index}]`, record, recipe);
    const isLast = index === record.turns.length - 1;
    problems.push(...check.problems.filter((problem) => isLast || problem.code !== 'UnusableAnswer'));
    shadows += check.shadows;
  }
  return { problems, shadows };
}

function checkAnswer(answer: string, place: string, record: DatasetRecord, recipe: Recipe): AnswerCheck {
  const parsed = askRecipe(recipe, () => recipe.parseAnswer(answer));
  if ('problem' in parsed) return { problems: [parsed.problem], shadows: 0 };
  if ('fault' in parsed) {
    const problem: RowProblem = {
      code: 'UnusableAnswer',
      message: `the answer in ${place} is of no use to "${recipe.name}": ${excerpt(parsed.fault, 200)}`,
      remedy: 'Correct the answer, or remove the row.',
    };
    return { problems: [problem], shadows: 0 };
  }
  const context = { id: record.id, groupKey: record.groupKey, label: record.label };
  const result = askRecipe(recipe, () => recipe.checkAnswer(parsed.document, context));
  if ('problem' in result) return { problems: [result.problem], shadows: 0 };
  return {
    problems: [...result.violations, ...result.warnings].map(toProblem),
    shadows: result.shadows?.length ?? 0,
  };
}

function toProblem(violation: Violation): RowProblem {
  return {
    code: violation.severity === 'BLOCK' ? 'GuardrailBlock' : 'GuardrailWarning',
    message: `rule ${violation.rule} (${violation.ruleId}) in ${violation.field}: "${excerpt(violation.text, 120)}". ${violation.message}`,
    remedy: violation.suggestion || 'Write the answer anew, or remove the row.',
  };
}
