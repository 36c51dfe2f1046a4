import type { GuardrailResult, Violation } from '../../domain/guardrails/ruleset.js';
import type { JsonObject } from '../../domain/json.js';
import type { Recipe, RecipeInference } from '../../domain/recipe.js';

export type AnswerSource =
  | 'model'
  | 'model_retry'
  | 'phrase_bank'
  | 'safe_template'
  | 'base_model'
  | 'endpoint_model';

/** Either a response that may be shown, or why not and what to tell the model. */
export type CheckedAnswer =
  | { readonly response: JsonObject }
  | { readonly reason: string; readonly advice: string };

const phraseBankAttempts = 5;

/** Builds the response from a raw answer and checks it whole. Pure; both shells of inference use it. */
export function checkAnswer(
  recipe: Recipe,
  inference: RecipeInference,
  context: JsonObject,
  answer: string,
): CheckedAnswer {
  const built = inference.respond(context, answer);
  if ('fault' in built) {
    return {
      reason: `format: ${built.fault}`,
      advice: `Your answer could not be used: ${built.fault}. Answer again, in the format asked for.`,
    };
  }
  const result = recipe.checkAnswer(built.response, context);
  const [first] = result.violations;
  if (!first) return { response: withGuardrails(built.response, result) };
  return {
    reason: `guardrail ${first.ruleId}: ${first.message}`,
    advice: `Your answer said "${first.text}". ${first.message}. ${first.suggestion}. Answer again without it.`,
  };
}

/** A response without the model: from the phrase bank when it passes, else the template that always does. */
export function fallback(
  recipe: Recipe,
  inference: RecipeInference,
  context: JsonObject,
): { source: AnswerSource; response: JsonObject } {
  for (let attempt = 0; attempt < phraseBankAttempts; attempt += 1) {
    const response = inference.phraseBank(context, attempt);
    if (response === null) break;
    const result = recipe.checkAnswer(response, context);
    if (result.passed) return { source: 'phrase_bank', response: withGuardrails(response, result) };
  }
  const response = inference.safeTemplate(context);
  return {
    source: 'safe_template',
    response: withGuardrails(response, recipe.checkAnswer(response, context)),
  };
}

function withGuardrails(response: JsonObject, result: GuardrailResult): JsonObject {
  const show = ({ ruleId, field, text, message }: Violation) => ({ ruleId, field, text, message });
  return {
    ...response,
    guardrail_result: {
      passed: result.passed,
      violations: result.violations.map(show),
      warnings: result.warnings.map(show),
    },
  };
}
