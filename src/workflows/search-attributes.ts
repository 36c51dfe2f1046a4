import { upsertSearchAttributes } from '@temporalio/workflow';
import { totalUsd } from '../domain/money.js';
import type { RunState } from '../domain/run-state.js';
import type { SearchAttributeName } from '../domain/search-attributes.js';

const keys = {
  model: { name: 'AnnealModel', type: 'KEYWORD' },
  recipe: { name: 'AnnealRecipe', type: 'KEYWORD' },
  stage: { name: 'AnnealStage', type: 'KEYWORD' },
  verdict: { name: 'AnnealVerdict', type: 'KEYWORD' },
  spendUsd: { name: 'AnnealSpendUsd', type: 'DOUBLE' },
} as const satisfies Record<string, { name: SearchAttributeName; type: string }>;

/** Makes a run findable by what it has come to: one event, however many attributes. */
export function indexRun(state: RunState): void {
  upsertSearchAttributes([
    { key: keys.model, value: state.model },
    { key: keys.recipe, value: state.recipe },
    { key: keys.spendUsd, value: totalUsd(state.spend) },
    ...(state.stage ? [{ key: keys.stage, value: state.stage }] : []),
    ...(state.verdict ? [{ key: keys.verdict, value: state.verdict }] : []),
  ]);
}
