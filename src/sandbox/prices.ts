import { readFileSync } from 'node:fs';

interface PriceRow {
  readonly item: string;
  readonly baseModel: string;
  readonly commitment?: string;
  readonly instanceType?: string;
  readonly usd: number;
}

export interface Prices {
  /** US dollars for 1,000 training tokens and one epoch. */
  training(baseModel: string): number;
  modelStoragePerHour(baseModel: string): number;
  deploymentPerHour(baseModel: string): number;
  modelUnitPerHour(baseModel: string, commitment: string | null): number;
  /** US dollars for one on-demand request. */
  request(baseModel: string, inputTokens: number, outputTokens: number): number;
  objectStoragePerByteHour(): number;
  /** Null where the table has no such instance. */
  trainingInstancePerHour(instanceType: string): number | null;
}

const hoursPerMonth = 730;

/** Reads `prices/aws.json`, the dated table that the service estimates with as well. */
export function loadPrices(): Prices {
  const file = new URL('../../prices/aws.json', import.meta.url);
  const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: readonly PriceRow[] };
  const price = (item: string, baseModel: string, commitment?: string): number => {
    const fits = (row: PriceRow, model: string) =>
      row.item === item && row.baseModel === model && row.commitment === commitment;
    const row = rows.find((each) => fits(each, baseModel)) ?? rows.find((each) => fits(each, '*'));
    if (!row) {
      throw new Error(`prices/aws.json has no row for ${item} of ${baseModel}; add one with its source.`);
    }
    return row.usd;
  };
  return {
    training: (baseModel) => price('training', baseModel),
    modelStoragePerHour: (baseModel) => price('modelStorage', baseModel) / hoursPerMonth,
    deploymentPerHour: (baseModel) => price('customModelDeployment', baseModel),
    modelUnitPerHour: (baseModel, commitment) => price('modelUnit', baseModel, commitment ?? 'none'),
    request: (baseModel, inputTokens, outputTokens) =>
      (inputTokens * price('inputTokens', baseModel) + outputTokens * price('outputTokens', baseModel)) /
      1000,
    trainingInstancePerHour: (instanceType) =>
      rows.find((row) => row.item === 'trainingInstance' && row.instanceType === instanceType)?.usd ?? null,
    objectStoragePerByteHour: () => price('objectStorage', '*') / hoursPerMonth / 1e9,
  };
}
