import type { DatasetRecord } from '../../src/domain/dataset.js';
import type { Severity, Violation } from '../../src/domain/guardrails/ruleset.js';
import { isJsonObject } from '../../src/domain/json.js';
import type { Recipe } from '../../src/domain/recipe.js';

/**
 * A small product for tests of the core: rows `{question, answer, topic}`; answers are texts; an answer with
 * "forbidden" is blocked and one with "doubtful" warned about; "unparsable" is no answer at all.
 */
export function exampleRecipe(overrides: Partial<Recipe> = {}): Recipe {
  return { ...recipe, ...overrides };
}

const recipe: Recipe = {
  name: 'example',
  description: 'Questions and answers',
  contentHash: 'c'.repeat(64),
  defaults: {
    dataset: { source: { kind: 'builder', backend: 'counting', records: 40 }, validationShare: 0.1 },
    training: { provider: 'bedrock', baseModel: 'amazon.nova-micro-v1:0:128k', hyperparameters: {} },
    deployment: { target: 'bedrock-on-demand' },
    validation: { suite: 'held-out', policy: 'example', samples: 10, seed: 1, temperature: 0 },
    budgetUsd: 1,
  },
  rulesetHash: 'd'.repeat(64),
  policies: {},
  suites: ['held-out'],
  serving: null,
  builder: {
    backends: ['counting', 'other'],
    *build({ records }) {
      for (let number = 0; number < records; number += 1) yield builtRecord(number);
    },
  },
  mapRow(row, origin) {
    if (typeof row.question !== 'string' || typeof row.answer !== 'string') {
      return {
        problem: {
          code: 'MissingMember',
          message: 'the row has no "question" and "answer"',
          remedy: 'Write {"question": "…", "answer": "…"}.',
        },
      };
    }
    const topic = typeof row.topic === 'string' ? row.topic : null;
    return {
      record: {
        id: typeof row.id === 'string' ? row.id : origin.source,
        groupKey: row.question,
        system: 'Answer briefly.',
        turns: [
          { role: 'user', text: row.question },
          { role: 'assistant', text: row.answer },
        ],
        label: topic,
        source: origin.source,
        quality: null,
        weight: 1,
      },
    };
  },
  annotate: (record) => ({ record }),
  parseAnswer(answer) {
    return answer.includes('unparsable') ? { fault: 'it is not JSON' } : { document: { text: answer } };
  },
  checkAnswer(document) {
    const text = isJsonObject(document) && typeof document.text === 'string' ? document.text : '';
    const violations = violationsOf(text, 'forbidden', 'BLOCK');
    return { passed: violations.length === 0, violations, warnings: violationsOf(text, 'doubtful', 'WARN') };
  },
  suite: () => [],
  score: () => {
    throw new Error('the dataset pipeline scores nothing');
  },
  inference: null,
};

function builtRecord(number: number): DatasetRecord {
  return {
    id: `counting-${number}`,
    groupKey: `group-${number}`,
    system: null,
    turns: [
      { role: 'user', text: `What follows ${number}?` },
      { role: 'assistant', text: `${number + 1}` },
    ],
    label: number % 2 === 0 ? 'even' : 'odd',
    source: 'builder:counting',
    quality: null,
    weight: 1,
  };
}

function violationsOf(text: string, word: string, severity: Severity): Violation[] {
  const start = text.indexOf(word);
  if (start < 0) return [];
  return [
    {
      ruleId: `R1.${word}`,
      rule: 1,
      severity,
      field: 'text',
      span: [start, start + word.length],
      text: word,
      message: 'This word is not used',
      suggestion: 'Write "kind".',
      rulesetHash: recipe.rulesetHash,
    },
  ];
}
