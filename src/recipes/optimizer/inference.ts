import { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.js';
import type { JsonObject } from '../../domain/json.js';
import { formatProblems, parseInput } from '../../domain/parse-input.js';
import type { RecipeInference } from '../../domain/recipe.js';
import { asJson, checkModel, type OptimizationModel, parseModel, type Terms } from './model.js';

const requestSchema = z.strictObject({ problem: z.string().trim().min(1).max(20_000) });

/** Word problem in; model, readable lines and deterministic checks out. */
export function createOptimizerInference(systemPrompt: string): RecipeInference {
  return {
    prepare: (request) => {
      const parsed = parseInput(requestSchema, request);
      if ('problems' in parsed) {
        throw new PermanentFailure(
          'InvalidInput',
          formatProblems('request', parsed.problems),
          parsed.problems,
        );
      }
      const { problem } = parsed.value;
      return { system: systemPrompt, turns: [{ role: 'user', text: problem }], context: {} };
    },
    respond: (_context, answer) => {
      const parsed = parseModel(answer);
      return 'fault' in parsed ? parsed : { response: responseOf(parsed.model) };
    },
    phraseBank: () => null,
    safeTemplate: () => ({
      model: null,
      lines: { objective: null, constraints: [] },
      checks: [],
      sound: false,
      message:
        'No model could be made of this problem. State the goal, the quantities and the limits, and try again.',
    }),
  };
}

function responseOf(model: OptimizationModel): JsonObject {
  const checks = checkModel(model);
  return {
    model: asJson(model),
    lines: {
      objective: `${model.objective.direction} ${model.objective.name} = ${formatTerms(model.objective.terms)}`,
      constraints: model.constraints.map(
        ({ terms, operator, limit }) => `${formatTerms(terms)} ${operator} ${limit}`,
      ),
    },
    checks: checks.map(({ id, passed, message }) => ({ id, passed, message })),
    sound: checks.every((check) => check.passed),
    message: null,
  };
}

/** `50 rickshaws + 30 ox carts`; a coefficient of one is not written, a negative one becomes a minus. */
function formatTerms(terms: Terms): string {
  const parts = Object.entries(terms).filter(([, value]) => value !== 0);
  if (parts.length === 0) return '0';
  return parts
    .map(([name, value], index) => {
      const size = Math.abs(value) === 1 ? name : `${Math.abs(value)} ${name}`;
      if (index === 0) return value < 0 ? `-${size}` : size;
      return value < 0 ? `- ${size}` : `+ ${size}`;
    })
    .join(' ');
}
