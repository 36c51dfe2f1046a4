import { z } from 'zod';
import type { DatasetRecord } from '../../domain/dataset.js';
import type { CaseScore, EvaluationCase } from '../../domain/evaluation/evaluation.js';
import { PermanentFailure } from '../../domain/failures.js';
import { isJsonObject } from '../../domain/json.js';
import { createSeededRandom } from '../seeded-random.js';
import { parseScoredProfile, toDocument } from './answer.js';
import { handleIn, type Profile, profileSchema, writePrompt } from './profile.js';
import type { PromptParts } from './rows.js';

/**
 * `seeds`: invented profiles of researchers, who must score high; `controls`: profiles of others, who must
 * score low; `held-out`: the validation split, with the teachers' scores; `full`: all three.
 */
export const profileSuites = ['full', 'seeds', 'controls', 'held-out'] as const;

/** Seeds and controls: profiles to score, invented by hand and in no dataset. */
export const profilesSchema = z.array(profileSchema).min(1);

/** A score this near to the teacher's counts as the teacher's. */
const tolerance = 0.1;

type Group = 'seed' | 'control' | 'held-out';

export interface SuiteProfiles {
  readonly seeds: readonly Profile[];
  readonly controls: readonly Profile[];
}

/** At most `samples` cases: first the seeds and the controls, then held-out records chosen by `seed`. */
export function createProfileSuite({ seeds, controls }: SuiteProfiles, prompt: PromptParts) {
  return (input: {
    readonly suite: string;
    readonly samples: number;
    readonly seed: number;
    readonly heldOut: readonly DatasetRecord[];
  }): EvaluationCase[] => {
    const { suite, samples, seed } = input;
    if (!(profileSuites as readonly string[]).includes(suite)) {
      throw new PermanentFailure(
        'InvalidInput',
        `validation.suite: found "${suite}"; allowed: ${profileSuites.join(', ')}.`,
      );
    }
    const asks = (name: string) => suite === 'full' || suite === name;
    const cases = [
      ...(asks('seeds') ? seeds.map((profile) => toCase('seed', profile, prompt)) : []),
      ...(asks('controls') ? controls.map((profile) => toCase('control', profile, prompt)) : []),
    ].slice(0, samples);
    if (!asks('held-out')) return cases;
    const random = createSeededRandom(`profile-scorer/held-out/${seed}`);
    return [...cases, ...random.sample(input.heldOut, samples - cases.length).map(toHeldOutCase)];
  };
}

function toCase(group: Group, profile: Profile, { system, instruction }: PromptParts): EvaluationCase {
  return {
    id: `${group}-${profile.handle}`,
    groupKey: profile.handle.toLowerCase(),
    system,
    turns: [{ role: 'user', text: writePrompt(instruction, profile) }],
    expected: { group, handle: profile.handle, score: null },
  };
}

function toHeldOutCase(record: DatasetRecord): EvaluationCase {
  const teacher = parseScoredProfile(record.turns.at(-1)?.text ?? '');
  return {
    id: record.id,
    groupKey: record.groupKey,
    system: record.system,
    turns: record.turns.slice(0, -1),
    expected: {
      group: 'held-out',
      handle: handleIn(record.turns[0]?.text ?? ''),
      score: 'value' in teacher ? teacher.value.score : null,
      label: record.label,
    },
  };
}

/**
 * `seed.score` and `control.score`: the score itself, an unreadable answer as the worst one. On held-out
 * records: `correct` (the right handle, and a score within 0.1 of the teacher's), `score.error` (distance to
 * it) and the pair behind `teacher.correlation`. `handle.match` on all.
 */
export function scoreAnswer(question: EvaluationCase, answer: string): CaseScore {
  const expected = isJsonObject(question.expected) ? question.expected : {};
  const teacher = typeof expected.score === 'number' ? expected.score : null;
  const parsed = parseScoredProfile(answer);
  const given = 'value' in parsed ? parsed.value : null;
  const isMatch = given !== null && given.handle === expected.handle;
  const error = given === null ? 1 : Math.abs(given.score - (teacher ?? 0));
  return {
    document: given && toDocument(given),
    formatFault: 'fault' in parsed ? parsed.fault : null,
    metrics: {
      'handle.match': Number(isMatch),
      'seed.score': expected.group === 'seed' ? (given?.score ?? 0) : null,
      'control.score': expected.group === 'control' ? (given?.score ?? 1) : null,
      'score.error': teacher === null ? null : error,
      // Two decimals, so that what stands 0.10 away in writing is within.
      correct: teacher === null ? null : Number(isMatch && Number(error.toFixed(2)) <= tolerance),
    },
    ...(given && teacher !== null && { pairs: { teacher: [teacher, given.score] } }),
  };
}
