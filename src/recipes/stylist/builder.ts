import type { DatasetRecord } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { RecipeBuilder } from '../../domain/recipe.js';
import type { Catalogue } from './catalogue.js';
import { composeAnswer } from './phrase-bank.js';
import { drawScenarios } from './scenario.js';

const backends = ['phrase-bank'] as const;

/** Makes training records from generated scenarios and the phrase bank, the three verdicts in turn. */
export function createStylistBuilder(catalogue: Catalogue): RecipeBuilder {
  return {
    backends,
    build: ({ backend, records, seed }) => {
      if (!(backends as readonly string[]).includes(backend)) {
        throw new PermanentFailure(
          'InvalidInput',
          `dataset.source.backend: found "${backend}"; allowed: ${backends.join(', ')}.`,
        );
      }
      return buildRecords(catalogue, { backend, records, seed });
    },
  };
}

function* buildRecords(
  catalogue: Catalogue,
  { backend, records, seed }: { backend: string; records: number; seed: number },
): Generator<DatasetRecord> {
  let index = 0;
  for (const { scenario, random } of drawScenarios(catalogue, 'training', seed)) {
    if (index >= records) return;
    index += 1;
    yield {
      id: `${backend}-${seed}-${String(index).padStart(5, '0')}`,
      groupKey: scenario.groupKey,
      system: catalogue.systemPrompt,
      turns: [
        { role: 'user', text: scenario.prompt },
        { role: 'assistant', text: JSON.stringify(composeAnswer(catalogue, { ...scenario, random })) },
      ],
      label: scenario.result.verdict,
      source: `builder:${backend}`,
      quality: 10,
      weight: 1,
    };
  }
}
