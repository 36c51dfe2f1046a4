import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DatasetRecord } from '../../src/domain/dataset.js';
import { aggregateMetrics } from '../../src/domain/evaluation/aggregate.js';
import { decideGate } from '../../src/domain/evaluation/decide.js';
import { createConversationRecipe } from '../../src/recipes/conversation.js';
import { loadRecipes } from '../../src/recipes/registry.js';

const recipe = createConversationRecipe('recipes/conversation');

function record(id: string, question: string, answer: string): DatasetRecord {
  const turns = [
    { role: 'user' as const, text: question },
    { role: 'assistant' as const, text: answer },
  ];
  return { id, groupKey: id, system: null, turns, label: null, source: 'test', quality: null, weight: 1 };
}

describe('ready conversations', () => {
  it('with equal first prompts fall into one group', () => {
    const group = (each: DatasetRecord) => {
      const result = recipe.annotate(each);
      return 'record' in result ? result.record.groupKey : null;
    };
    expect(group(record('1', 'Hello', 'Hi'))).toBe(group(record('2', 'Hello', 'Good day')));
    expect(group(record('1', 'Hello', 'Hi'))).not.toBe(group(record('2', 'Bye', 'Bye')));
  });

  it('are all it takes: another row is told what to do', () => {
    expect(recipe.mapRow({ question: 'x' }, { source: 's', index: 0 })).toMatchObject({
      problem: { code: 'NotAConversation', remedy: expect.stringContaining('"messages"') },
    });
  });
});

describe('the smoke suite', () => {
  const heldOut = [record('1', 'Hello', 'Hi'), record('2', 'Bye', 'So long'), record('3', 'Why', 'So')];
  const verdict = (answers: string[]) => {
    const questions = recipe.suite({ suite: 'smoke', samples: 2, seed: 1, heldOut });
    expect(questions.map((each) => each.turns.at(-1)?.text)).toEqual(['Hello', 'Bye']);
    const scored = questions.map((question, index) => ({
      score: recipe.score(question, answers[index] ?? ''),
      violations: [],
      latencyMs: 10,
      inputTokens: 1,
      outputTokens: 1,
    }));
    const { metrics, samples, rates } = aggregateMetrics(scored);
    const policy = recipe.policies.smoke;
    if (!policy) throw new Error('no policy');
    return { ...decideGate(policy, metrics, samples, rates), metrics };
  };

  it('passes a model that answers, and reports exact matches', () => {
    expect(verdict(['Hi ', 'Go away'])).toMatchObject({
      verdict: 'passed',
      metrics: { answered: 1, exactMatch: 0.5 },
    });
  });

  it('fails a model that is silent once', () => {
    expect(verdict(['Hi', ' \n']).verdict).toBe('failed');
  });

  it('asks its own questions where nothing is held out', () => {
    const questions = recipe.suite({ suite: 'smoke', samples: 2, seed: 1, heldOut: [] });
    expect(questions).toHaveLength(2);
    const [first] = questions;
    expect(first && recipe.score(first, 'Yes').metrics).toEqual({ answered: 1, exactMatch: null });
  });
});

describe('recipe folders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'recipes-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('without code of their own are recipes for conversations, under their own name', () => {
    cpSync('recipes/conversation', join(folder, 'support'), { recursive: true });
    expect(() => loadRecipes(folder)).toThrow('name: found "conversation"; allowed: "support"');
    const definition = {
      schema: 'recipe/v1',
      name: 'support',
      description: 'Answers customers.',
      defaults: recipe.defaults,
    };
    writeFileSync(join(folder, 'support', 'recipe.json'), JSON.stringify(definition));
    expect([...loadRecipes(folder).keys()]).toEqual(['support']);
  });

  it('that are broken or absent are named', () => {
    writeFileSync(join(folder, 'support', 'ruleset.json'), '{"id": "support"}');
    expect(() => loadRecipes(folder)).toThrow(join(folder, 'support'));
    expect(() => loadRecipes(join(folder, 'nowhere'))).toThrow('holds no recipe');
  });
});
