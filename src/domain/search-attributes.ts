/**
 * What runs and leases can be searched by in `temporal workflow list` and the Web UI. Opt-in, because an
 * attribute that is not registered refuses starts and wedges running workflows: the names are registered by
 * `anneal search-attributes`, and `anneal up` does it itself.
 */
export const searchAttributes = {
  AnnealModel: 'KEYWORD',
  AnnealRecipe: 'KEYWORD',
  AnnealStage: 'KEYWORD',
  AnnealVerdict: 'KEYWORD',
  AnnealProvider: 'KEYWORD',
  AnnealSpendUsd: 'DOUBLE',
  AnnealUsdPerHour: 'DOUBLE',
} as const;

export type SearchAttributeName = keyof typeof searchAttributes;
