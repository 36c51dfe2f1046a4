import { z } from 'zod';
import type { DatasetRecord } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import { checkDocument } from '../../domain/guardrails/check-document.js';
import { parseRuleset } from '../../domain/guardrails/parse-ruleset.js';
import type { Recipe, RecipeBuilder } from '../../domain/recipe.js';
import {
  loadRecipeData,
  readGatePolicies,
  readRecipeDefinition,
  readServingParameters,
} from '../load-recipe-data.js';
import { parseScoredProfile, toDocument } from './answer.js';
import { createProfileInference } from './inference.js';
import { checkInstruction, writePrompt } from './profile.js';
import { annotateRecord, createRowMapper, type PromptParts, toRecord } from './rows.js';
import { createProfileSuite, profileSuites, profilesSchema, scoreAnswer } from './suite.js';
import { inventProfiles, type Vocabulary, vocabularySchema } from './synthetic-profiles.js';

/** Raise it when the code would make other records, prompts, scores or responses of the same data. */
const codeVersion = 'profile-scorer/1';

/** The profile scorer: how likely an account is a real person who is an academic researcher, and why. */
export function createProfileScorerRecipe(dataDirectory: string): Recipe {
  const data = loadRecipeData(dataDirectory);
  const ruleset = parseRuleset(data.json('ruleset.json', z.unknown()), data.hash('ruleset.json'));
  const serving = readServingParameters(data);
  const prompt = { system: serving.system ?? '', instruction: data.text('prompt/instruction.txt').trim() };
  checkInstruction(prompt.instruction);
  const profiles = {
    seeds: data.json('seeds.json', profilesSchema),
    controls: data.json('controls.json', profilesSchema),
  };
  return {
    ...readRecipeDefinition(data),
    contentHash: data.contentHash(codeVersion),
    rulesetHash: ruleset.hash,
    policies: readGatePolicies(data),
    suites: profileSuites,
    serving,
    builder: createBuilder(data.json('synthetic.json', vocabularySchema), prompt),
    mapRow: createRowMapper(prompt),
    annotate: annotateRecord,
    checkAnswer: (document, context) => checkDocument(ruleset, document, context),
    parseAnswer: (answer) => {
      const parsed = parseScoredProfile(answer);
      return 'fault' in parsed ? parsed : { document: toDocument(parsed.value) };
    },
    suite: createProfileSuite(profiles, prompt),
    score: scoreAnswer,
    inference: createProfileInference(prompt),
  };
}

const backends = ['synthetic'] as const;

/** Invented profiles, to try the recipe without anybody's data. */
function createBuilder(vocabulary: Vocabulary, prompt: PromptParts): RecipeBuilder {
  return {
    backends,
    build: ({ backend, records, seed }) => {
      if (backend === 'synthetic') return buildRecords(vocabulary, prompt, records, seed);
      throw new PermanentFailure(
        'InvalidInput',
        `dataset.source.backend: found "${backend}"; allowed: ${backends.join(', ')}.`,
      );
    },
  };
}

function* buildRecords(
  vocabulary: Vocabulary,
  { system, instruction }: PromptParts,
  records: number,
  seed: number,
): Generator<DatasetRecord> {
  let index = 0;
  for (const { profile, scored, kind } of inventProfiles(vocabulary, seed)) {
    if (index >= records) return;
    index += 1;
    yield toRecord({
      id: `synthetic-${seed}-${String(index).padStart(5, '0')}`,
      prompt: writePrompt(instruction, profile),
      answer: scored,
      system,
      label: kind,
      source: 'builder:synthetic',
    });
  }
}
