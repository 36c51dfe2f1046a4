import { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.js';
import { checkDocument } from '../../domain/guardrails/check-document.js';
import { parseRuleset } from '../../domain/guardrails/parse-ruleset.js';
import type { Ruleset } from '../../domain/guardrails/ruleset.js';
import type { Recipe } from '../../domain/recipe.js';
import { loadRecipeData, readGatePolicies, readRecipeDefinition } from '../load-recipe-data.js';
import { answerSchema, parseAnswer } from './answer.js';
import { createStylistBuilder } from './builder.js';
import { type Catalogue, loadCatalogue, verdictIds } from './catalogue.js';
import { createStylistInference } from './inference.js';
import { buildResponse, type ResponseText, responseTextSchema } from './response.js';
import { annotateRecord, createRowMapper } from './rows.js';
import { scoreAnswer, stylistCases, stylistSuites } from './suite.js';

/** Raise it when the code would make other records, prompts, scores or responses of the same data. */
const codeVersion = 'stylist/1';

/** The stylist: puts a scored garment into a headline and a few styled sentences. */
export function createStylistRecipe(dataDirectory: string): Recipe {
  const data = loadRecipeData(dataDirectory);
  const catalogue = loadCatalogue(data);
  const text = data.json('response.json', responseTextSchema);
  const ruleset = parseRuleset(data.json('ruleset.json', z.unknown()), data.hash('ruleset.json'));
  checkSafeAnswers({ catalogue, text, ruleset });
  return {
    ...readRecipeDefinition(data),
    contentHash: data.contentHash(codeVersion),
    rulesetHash: ruleset.hash,
    policies: readGatePolicies(data),
    suites: stylistSuites,
    serving: null,
    builder: createStylistBuilder(catalogue),
    answerSchema,
    mapRow: createRowMapper(catalogue),
    annotate: annotateRecord,
    checkAnswer: (document, context) => checkDocument(ruleset, document, context),
    parseAnswer,
    suite: (input) => stylistCases(catalogue, input),
    score: scoreAnswer,
    inference: createStylistInference(catalogue, text),
  };
}

/** The last resort must never fail on its own rules: a recipe whose safe answers break one does not load. */
function checkSafeAnswers(input: { catalogue: Catalogue; text: ResponseText; ruleset: Ruleset }): void {
  const { catalogue, text, ruleset } = input;
  for (const verdict of verdictIds) {
    const answer = text.safeAnswers[verdict];
    const parsed = parseAnswer(JSON.stringify(answer));
    const context = {
      request: {
        name: null,
        wearer: { heightInches: catalogue.scoring.defaultHeightInches, bodyShape: '', goals: [] },
        garment: { name: '', category: '', style: '', fabric: null, color: null, attributes: {} },
        assumed: [],
      },
      result: { verdict, score: 0, principles: [], goals: [] },
    };
    const response = buildResponse({ catalogue, text }, context, answer, { personal: false });
    const { violations, warnings } = checkDocument(ruleset, response, {});
    const faults = [
      ...('fault' in parsed ? [parsed.fault] : []),
      ...[...violations, ...warnings].map(({ ruleId, text: found }) => `${ruleId} finds "${found}"`),
    ];
    if (faults.length === 0) continue;
    throw new PermanentFailure(
      'InvalidInput',
      `response.json: safeAnswers.${verdict}: ${faults.join('; ')}.`,
    );
  }
}
