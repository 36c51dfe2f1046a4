import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import { totalUsd } from '../domain/money.js';
import type { RunState } from '../domain/run-state.js';

const keys = {
  model: defineSearchAttributeKey('AnnealModel', 'KEYWORD'),
  recipe: defineSearchAttributeKey('AnnealRecipe', 'KEYWORD'),
  stage: defineSearchAttributeKey('AnnealStage', 'KEYWORD'),
  verdict: defineSearchAttributeKey('AnnealVerdict', 'KEYWORD'),
  spendUsd: defineSearchAttributeKey('AnnealSpendUsd', 'DOUBLE'),
};

/** What a run can be found by. */
export function runSearchAttributes(state: RunState): SearchAttributeUpdatePair[] {
  return [
    { key: keys.model, value: state.model },
    { key: keys.recipe, value: state.recipe },
    { key: keys.spendUsd, value: totalUsd(state.spend) },
    ...(state.stage ? [{ key: keys.stage, value: state.stage }] : []),
    ...(state.verdict ? [{ key: keys.verdict, value: state.verdict }] : []),
  ];
}
