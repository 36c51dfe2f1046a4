import { aggregateMetrics } from '../../domain/evaluation/aggregate.js';
import type { EvaluationCase } from '../../domain/evaluation/evaluation.js';
import type { AnswerQuality } from '../../domain/parity.js';
import type { Recipe } from '../../domain/recipe.js';

/** The score of the same answers by the same recipe: only differences of it say something. */
export function qualityOf(
  recipe: Pick<Recipe, 'score' | 'checkAnswer'>,
  questions: readonly EvaluationCase[],
  texts: readonly string[],
): AnswerQuality {
  const answers = questions.map((question, index) => {
    const score = recipe.score(question, texts[index] ?? '');
    const checked = score.document === null ? null : recipe.checkAnswer(score.document, {});
    const violations = checked?.violations ?? [];
    return { score, violations, latencyMs: 0, inputTokens: 0, outputTokens: 0 };
  });
  const { metrics, rates } = aggregateMetrics(answers);
  const shares = rates.map((name) => metrics[name]).filter((share) => typeof share === 'number');
  return {
    jsonValid: texts.filter(isJson).length / Math.max(texts.length, 1),
    score: shares.reduce((sum, share) => sum + share, 0) / Math.max(shares.length, 1),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
