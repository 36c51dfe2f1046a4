import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DatasetRecord } from '../domain/dataset.js';
import type { CaseScore, EvaluationCase } from '../domain/evaluation/evaluation.js';
import { PermanentFailure } from '../domain/failures.js';
import { checkDocument } from '../domain/guardrails/check-document.js';
import { parseRuleset } from '../domain/guardrails/parse-ruleset.js';
import { isJsonObject } from '../domain/json.js';
import { formatProblems, parseInput } from '../domain/parse-input.js';
import type { Recipe, RecipeInference, RowResult } from '../domain/recipe.js';
import { loadRecipeData, readGatePolicies, readRecipeDefinition } from './load-recipe-data.js';

/** Raise it when the code would make other records, questions, scores or responses of the same data. */
const codeVersion = 'conversation/1';

const smokeQuestionsSchema = z
  .array(z.strictObject({ system: z.string().nullable().default(null), prompt: z.string().min(1) }))
  .min(1);

type SmokeQuestions = z.infer<typeof smokeQuestionsSchema>;

/**
 * A recipe that is data alone: trains on ready conversations as they are, asks the held-out ones, and
 * demands an answer. Any folder with `recipe.json`, `ruleset.json`, `policies/` and `smoke.json` makes one.
 */
export function createConversationRecipe(dataDirectory: string): Recipe {
  const data = loadRecipeData(dataDirectory);
  const ruleset = parseRuleset(data.json('ruleset.json', z.unknown()), data.hash('ruleset.json'));
  const questions = data.json('smoke.json', smokeQuestionsSchema);
  const definition = readRecipeDefinition(data);
  return {
    ...definition,
    contentHash: data.contentHash(codeVersion),
    rulesetHash: ruleset.hash,
    policies: readGatePolicies(data),
    suites: ['smoke'],
    serving: null,
    builder: null,
    mapRow: () => notAConversation(definition.name),
    annotate: (record) => ({ record: { ...record, groupKey: groupKeyOf(record) } }),
    checkAnswer: (document, context) => checkDocument(ruleset, document, context),
    parseAnswer,
    suite: (input) => smokeCases(questions, input),
    score: scoreAnswer,
    inference: createInference(),
  };
}

/** Equal first prompts never stand in both splits. */
function groupKeyOf(record: DatasetRecord): string {
  const first = record.turns.find((turn) => turn.role === 'user')?.text ?? '';
  return createHash('sha256').update(first).digest('hex').slice(0, 24);
}

function notAConversation(recipe: string): RowResult {
  return {
    problem: {
      code: 'NotAConversation',
      message: `the row has no "messages", and the recipe "${recipe}" takes ready conversations only`,
      remedy:
        'Write rows as {"messages":[{"role":"user","content":[{"text":"…"}]},{"role":"assistant","content":[{"text":"…"}]}]}, or name another recipe.',
    },
  };
}

function parseAnswer(answer: string): ReturnType<Recipe['parseAnswer']> {
  return answer.trim() === '' ? { fault: 'the answer is empty' } : { document: { text: answer } };
}

/** The held-out conversations up to their last answer; the recipe's own questions where nothing is held out. */
function smokeCases(questions: SmokeQuestions, input: Parameters<Recipe['suite']>[0]): EvaluationCase[] {
  if (input.suite !== 'smoke') {
    throw new PermanentFailure('InvalidInput', `validation.suite: found "${input.suite}"; allowed: smoke.`);
  }
  if (input.heldOut.length > 0) {
    return input.heldOut.slice(0, input.samples).map((record) => ({
      id: record.id,
      groupKey: record.groupKey,
      system: record.system,
      turns: record.turns.slice(0, -1),
      expected: { answer: record.turns.at(-1)?.text ?? '' },
    }));
  }
  return questions.slice(0, input.samples).map(({ system, prompt }, index) => ({
    id: `smoke-${index + 1}`,
    groupKey: `smoke-${index + 1}`,
    system,
    turns: [{ role: 'user', text: prompt }],
    expected: { answer: null },
  }));
}

function scoreAnswer(question: EvaluationCase, answer: string): CaseScore {
  const parsed = parseAnswer(answer);
  const expected = isJsonObject(question.expected) ? question.expected.answer : null;
  const exactMatch = typeof expected === 'string' ? Number(answer.trim() === expected.trim()) : null;
  return 'fault' in parsed
    ? { document: null, formatFault: parsed.fault, metrics: { answered: 0, exactMatch } }
    : { document: parsed.document, formatFault: null, metrics: { answered: 1, exactMatch } };
}

const requestSchema = z.strictObject({
  prompt: z.string().trim().min(1).max(100_000),
  system: z.string().min(1).optional(),
});

function createInference(): RecipeInference {
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
      const { prompt, system } = parsed.value;
      return { system: system ?? null, turns: [{ role: 'user', text: prompt }], context: {} };
    },
    respond: (_context, answer) => {
      const parsed = parseAnswer(answer);
      return 'fault' in parsed ? parsed : { response: parsed.document };
    },
    phraseBank: () => null,
    safeTemplate: () => ({ text: 'There is no answer to this at the moment. Please ask again later.' }),
  };
}
