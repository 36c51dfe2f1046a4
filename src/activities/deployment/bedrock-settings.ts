import type { z } from 'zod';
import { PermanentFailure } from '../../domain/failures.js';
import { formatProblems, parseInput } from '../../domain/parse-input.js';

/** Checks `deployment.settings` against what a target takes and fills in its defaults. */
export function parseTargetSettings<T>(schema: z.ZodType<T>, settings: Readonly<Record<string, unknown>>): T {
  const parsed = parseInput(schema, settings);
  if (!('problems' in parsed)) return parsed.value;
  const problems = parsed.problems.map((problem) => ({
    ...problem,
    path: problem.path === '(input)' ? 'deployment.settings' : `deployment.settings.${problem.path}`,
  }));
  throw new PermanentFailure('InvalidInput', formatProblems('deployment', problems), problems);
}
