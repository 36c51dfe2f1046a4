import { z } from 'zod';
import { checkDocument } from '../../domain/guardrails/check-document.js';
import { parseRuleset } from '../../domain/guardrails/parse-ruleset.js';
import type { JsonObject } from '../../domain/json.js';
import type { Recipe } from '../../domain/recipe.js';
import { loadRecipeData, readGatePolicies, readRecipeDefinition } from '../load-recipe-data.js';
import { createOptimizerInference } from './inference.js';
import { asJson, optimizationModelSchema, parseModel } from './model.js';
import { annotateRecord, createRowMapper } from './rows.js';
import { optimizerCases, optimizerSuites, scoreAnswer } from './suite.js';

/** Raise it when the code would make other records, prompts, scores or responses of the same data. */
const codeVersion = 'optimizer/1';

/** The optimizer: turns a word problem into a linear model with variables, objective and constraints. */
export function createOptimizerRecipe(dataDirectory: string): Recipe {
  const data = loadRecipeData(dataDirectory);
  const ruleset = parseRuleset(data.json('ruleset.json', z.unknown()), data.hash('ruleset.json'));
  const systemPrompt = data.text('prompt/system.txt').trim();
  return {
    ...readRecipeDefinition(data),
    contentHash: data.contentHash(codeVersion),
    rulesetHash: ruleset.hash,
    policies: readGatePolicies(data),
    suites: optimizerSuites,
    serving: null,
    builder: null,
    answerSchema: z.toJSONSchema(optimizationModelSchema) as JsonObject,
    mapRow: createRowMapper(systemPrompt),
    annotate: annotateRecord,
    checkAnswer: (document, context) => checkDocument(ruleset, document, context),
    parseAnswer: (answer) => {
      const parsed = parseModel(answer);
      return 'fault' in parsed ? parsed : { document: asJson(parsed.model) };
    },
    suite: optimizerCases,
    score: scoreAnswer,
    inference: createOptimizerInference(systemPrompt),
  };
}
