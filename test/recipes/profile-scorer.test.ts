import { describe, expect, it } from 'vitest';
import { aggregateMetrics } from '../../src/domain/evaluation/aggregate.js';
import { decideGate } from '../../src/domain/evaluation/decide.js';
import type { EvaluationCase } from '../../src/domain/evaluation/evaluation.js';
import { isJsonObject, type JsonObject } from '../../src/domain/json.js';
import { createProfileScorerRecipe } from '../../src/recipes/profile-scorer/recipe.js';

const recipe = createProfileScorerRecipe('recipes/profile-scorer');
const origin = { source: 'file:test.jsonl#1', index: 0 };
const build = (records: number, seed = 1) => [
  ...(recipe.builder?.build({ backend: 'synthetic', records, seed }) ?? []),
];

const row: JsonObject = {
  handle: 'neuro_jane',
  display_name: 'Jane Orlova',
  bio: 'Postdoc in\nneuroscience',
  created_at: '2014-03-02',
  follower_count: 1840,
  location: null,
  category: 'researcher',
  likely_is: 'person',
  scored_by: 'gemini-2.0-flash',
  score: '0.95',
  reason: 'Postdoc',
};

function recordOf(change: JsonObject) {
  const result = recipe.mapRow({ ...row, ...change }, origin);
  if (!('record' in result)) throw new Error(JSON.stringify(result));
  return result.record;
}

describe('rows of scored profiles', () => {
  it('become the instruction with every attribute on its line, and the answer with two decimals', () => {
    const record = recordOf({ score: 0.9 });
    expect(record.system).toContain('Return only valid JSON.');
    expect(record.turns[0]?.text.split('PROFILE ATTRIBUTES:\n')[1]).toBe(
      'handle: neuro_jane\ndisplayName: Jane Orlova\nbio: Postdoc in neuroscience\ncreated_at: 2014-03-02\nfollowerCount: 1840\nlocation: ',
    );
    expect(record.turns[1]?.text).toBe('{"handle":"neuro_jane","score":"0.90","reason":"Postdoc"}');
    expect(record).toMatchObject({ groupKey: 'neuro_jane', label: 'researcher' });
  });

  it('do not tell the model what is only known of profiles that were scored', () => {
    const prompt = recordOf({}).turns[0]?.text;
    expect(prompt).toBe(recordOf({ scored_by: 'other', category: 'shop', likely_is: 'bot' }).turns[0]?.text);
  });

  it('are also read as finished instructions, without the line that names the scorer', () => {
    const [prompt, answer] = recordOf({}).turns.map(({ text }) => text);
    const instruction = `${prompt}\n(Scored by model: gemini-2.0-flash)`;
    const result = recipe.mapRow({ instruction, output: answer as string }, origin);
    expect(result).toMatchObject({ record: { turns: [{ text: prompt?.trim() }, { text: answer }] } });
  });

  it.each([
    ['a score above 1', { score: '1.01' }, 'NotAScoredProfile', 'score'],
    ['a score in words', { score: 'high' }, 'NotAScoredProfile', 'score'],
    ['no score', { score: null }, 'NotAScoredProfile', 'score'],
    ['no reason', { reason: ' ' }, 'NotAScoredProfile', 'reason'],
    ['a handle with a line break', { handle: 'a\nhandle: b' }, 'NotAScoredProfile', 'handle'],
  ])('are refused with %s', (_, change, code, path) => {
    const result = recipe.mapRow({ ...row, ...(change as JsonObject) }, origin);
    expect(result).toMatchObject({ problem: { code, message: expect.stringContaining(path) } });
  });

  it('are refused where the answer is about another profile', () => {
    const record = recordOf({});
    const answer = record.turns[1]?.text.replace('neuro_jane', 'somebody') ?? '';
    const output = recipe.mapRow({ instruction: record.turns[0]?.text ?? '', output: answer }, origin);
    expect(output).toMatchObject({ problem: { code: 'WrongHandle' } });
    const turns = [record.turns[0], { role: 'assistant', text: answer }] as typeof record.turns;
    expect(recipe.annotate({ ...record, turns })).toMatchObject({ problem: { code: 'WrongHandle' } });
  });
});

describe('invented profiles', () => {
  it('are the same for one seed, others for another, and pass the rules of the recipe', () => {
    expect(build(60)).toEqual(build(60));
    expect(build(60, 2)).not.toEqual(build(60));
    const handles = build(1500).map(({ groupKey }) => groupKey);
    expect(new Set(handles).size).toBe(1500);
    for (const record of build(60)) {
      const parsed = recipe.parseAnswer(record.turns[1]?.text ?? '');
      if ('fault' in parsed) throw new Error(parsed.fault);
      expect(recipe.checkAnswer(parsed.document, {}).violations).toEqual([]);
      expect(recipe.annotate(record)).toEqual({ record });
      expect(record.turns[0]?.text).not.toMatch(/[{}]/);
    }
  });

  it('have handles that cannot be made up from the name', () => {
    const isOfName = ({ turns, groupKey }: { turns: readonly { text: string }[]; groupKey: string }) => {
      const name = /^displayName: (.*)$/m.exec(turns[0]?.text ?? '')?.[1] ?? '';
      return groupKey.startsWith(name.toLowerCase().replace(' ', '_'));
    };
    expect(build(400).filter(isOfName).length).toBeLessThan(150);
  });

  it('share no handle with seeds and controls', () => {
    const cases = recipe.suite({ suite: 'full', samples: 100, seed: 1, heldOut: [] });
    const handles = new Set(build(5000).map(({ groupKey }) => groupKey));
    expect(cases.filter(({ groupKey }) => handles.has(groupKey))).toEqual([]);
  });
});

/** Puts the suite to something that answers, and decides by the recipe's policy. */
function verdictOf(answer: (question: EvaluationCase) => string, latencyMs = 900) {
  const questions = recipe.suite({ suite: 'full', samples: 40, seed: 1, heldOut: build(40) });
  const answers = questions.map((question) => ({
    score: recipe.score(question, answer(question)),
    violations: [],
    latencyMs,
    inputTokens: 1,
    outputTokens: 1,
  }));
  const { metrics, samples, rates } = aggregateMetrics(answers);
  const policy = recipe.policies['profile-scorer'];
  if (!policy) throw new Error('there is no policy');
  const { verdict, checks } = decideGate(policy, metrics, samples, rates);
  return {
    verdict,
    failed: checks.filter(({ status }) => status === 'fail').map(({ metric }) => metric),
    metrics,
  };
}

const facts = (question: EvaluationCase) => (isJsonObject(question.expected) ? question.expected : {});

function write(question: EvaluationCase, score: number): string {
  return JSON.stringify({ handle: facts(question).handle ?? null, score: score.toFixed(2), reason: 'why' });
}

/** What a good model would say. */
function rightScore(question: EvaluationCase): number {
  const { group, score } = facts(question);
  if (typeof score === 'number') return score;
  return group === 'seed' ? 0.93 : 0.03;
}

describe('the gates', () => {
  it('let a model pass that scores as the teachers do', () => {
    const { verdict, metrics } = verdictOf((question) => write(question, rightScore(question)));
    expect(verdict).toBe('passed');
    expect(metrics).toMatchObject({ correct: 1, 'teacher.correlation': expect.closeTo(1), 'score.error': 0 });
  });

  it.each<[string, string[], (question: EvaluationCase) => string]>([
    ['everybody high', ['control.score.max', 'teacher.correlation'], (q) => write(q, 0.95)],
    ['everybody low', ['seed.score', 'seed.score.min', 'teacher.correlation'], (q) => write(q, 0.05)],
    [
      'one seed low',
      ['seed.score.min'],
      (q) => write(q, facts(q).handle === 'neuro_jane' ? 0.5 : rightScore(q)),
    ],
    [
      'one control high',
      ['control.score.max'],
      (q) => write(q, facts(q).handle === 'hourly_deals_bot' ? 0.5 : rightScore(q)),
    ],
    [
      'held-out profiles the other way round',
      ['teacher.correlation'],
      (q) => write(q, typeof facts(q).score === 'number' ? 1 - rightScore(q) : rightScore(q)),
    ],
    [
      'a sixth in no readable form',
      ['json.valid', 'seed.score.min'],
      (q) =>
        q.groupKey.length % 6 === 0 || facts(q).handle === 'tide_pools' ? 'Sure!' : write(q, rightScore(q)),
    ],
  ])('refuse a model that scores %s', (_, failed, answer) => {
    const decision = verdictOf(answer);
    expect(decision.verdict).toBe('failed');
    expect(decision.failed).toEqual(expect.arrayContaining(failed));
  });

  it('refuse a model that takes five seconds', () => {
    const { failed } = verdictOf((question) => write(question, rightScore(question)), 5000);
    expect(failed).toEqual(['latency.p95_s', 'latency.max_s']);
  });

  it('do not decide on a handful of held-out profiles', () => {
    const policy = recipe.policies['profile-scorer'];
    const correlation = policy?.checks.find(({ metric }) => metric === 'teacher.correlation');
    expect(correlation).toMatchObject({ critical: true, minimumSamples: 12 });
  });
});

describe('suites', () => {
  const ask = (suite: string, samples = 100) => recipe.suite({ suite, samples, seed: 1, heldOut: build(30) });

  it('are seeds, controls, held-out records, and all of them', () => {
    const groups = (suite: string) => new Set(ask(suite).map((question) => facts(question).group));
    expect(groups('seeds')).toEqual(new Set(['seed']));
    expect(groups('controls')).toEqual(new Set(['control']));
    expect(groups('held-out')).toEqual(new Set(['held-out']));
    expect(ask('full')).toHaveLength(ask('seeds').length + ask('controls').length + 30);
    expect(ask('full', 15)).toHaveLength(15);
    expect(() => ask('golden')).toThrow('validation.suite: found "golden"; allowed: full, seeds');
  });

  it('ask in the words of training', () => {
    const [question] = ask('seeds', 1);
    const [record] = build(1);
    const wording = (text = '') => text.replace(/^(\w+): .*$/gm, '$1:');
    expect(wording(question?.turns[0]?.text)).toBe(wording(record?.turns[0]?.text));
    expect(question?.system).toBe(record?.system);
  });
});

describe('a request', () => {
  const { inference } = recipe;
  if (!inference) throw new Error('there is no inference');
  const prepared = inference.prepare({ handle: '@neuro_jane', bio: 'Postdoc' });

  it('is answered with a number for a score, of the profile that was asked about', () => {
    const answer = '{"handle":"neuro_jane","score":"0.95","reason":"Postdoc"}';
    expect(inference.respond(prepared.context, answer)).toEqual({
      response: { handle: 'neuro_jane', score: 0.95, reason: 'Postdoc' },
    });
    expect(inference.respond(prepared.context, answer.replace('jane', 'bob'))).toMatchObject({
      fault: 'handle: found "neuro_bob"; the profile is of "neuro_jane"',
    });
  });

  it('has no invented score where no model answers', () => {
    expect(inference.phraseBank(prepared.context, 0)).toBeNull();
    expect(inference.safeTemplate(prepared.context)).toMatchObject({ handle: 'neuro_jane', score: null });
  });

  it('names what is wrong with it', () => {
    expect(() => inference.prepare({ handle: 'a b', followers: 3 })).toThrow(
      /handle: found "a b"[\s\S]*followers/,
    );
  });
});

it('serves as the model is trained: one system message, in one place', () => {
  expect(recipe.serving).toMatchObject({ temperature: 0.1, contextTokens: 4096, stop: ['<|im_end|>'] });
  expect(build(1)[0]?.system).toBe(recipe.serving?.system);
});
