import { PermanentFailure } from '../../domain/failures.js';
import { formatProblems, parseInput } from '../../domain/parse-input.js';
import type { RecipeInference } from '../../domain/recipe.js';
import { parseScoredProfile, toDocument } from './answer.js';
import { profileSchema, writePrompt } from './profile.js';
import type { PromptParts } from './rows.js';

/** A profile in, `{handle, score, reason}` out; `score` is null where no model could be asked. */
export function createProfileInference({ system, instruction }: PromptParts): RecipeInference {
  return {
    prepare: (request) => {
      const parsed = parseInput(profileSchema, request);
      if ('problems' in parsed) {
        throw new PermanentFailure(
          'InvalidInput',
          formatProblems('request', parsed.problems),
          parsed.problems,
        );
      }
      const profile = parsed.value;
      return {
        system,
        turns: [{ role: 'user', text: writePrompt(instruction, profile) }],
        context: { handle: profile.handle },
      };
    },
    respond: (context, answer) => {
      const parsed = parseScoredProfile(answer);
      if ('fault' in parsed) return parsed;
      if (parsed.value.handle === context.handle) return { response: toDocument(parsed.value) };
      return { fault: `handle: found "${parsed.value.handle}"; the profile is of "${context.handle}"` };
    },
    // A score that nobody gave would be made up.
    phraseBank: () => null,
    safeTemplate: (context) => ({
      handle: context.handle ?? null,
      score: null,
      reason: 'This profile could not be scored at the moment.',
    }),
  };
}
