import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { PermanentFailure } from '../domain/failures.js';
import { formatProblems, parseInput } from '../domain/parse-input.js';

const commitments = ['none', 'OneMonth', 'SixMonths'] as const;
export type Commitment = (typeof commitments)[number];

const rowSchema = z.object({
  item: z.enum([
    'training',
    'modelStorage',
    'inputTokens',
    'outputTokens',
    'modelUnit',
    'customModelDeployment',
    'objectStorage',
    'trainingInstance',
  ]),
  /** `*` stands for every base model that has no row of its own. */
  baseModel: z.string().min(1),
  commitment: z.enum(commitments).optional(),
  /** Of a `trainingInstance`, which has the same price for every base model. */
  instanceType: z.string().min(1).optional(),
  usd: z.number().nonnegative(),
  asOf: z.iso.date(),
  confidence: z.enum(['documented', 'reported', 'plausible']),
});

const tableSchema = z.object({
  asOf: z.iso.date(),
  currency: z.literal('USD'),
  region: z.string().min(1),
  rows: z.array(rowSchema).min(1),
});

type PriceItem = z.infer<typeof rowSchema>['item'];

const hoursPerMonth = 730;

/** US dollars, as the price table has them; asking for a price that it lacks is an `InvalidInput`. */
export interface Prices {
  trainingUsdPerThousandTokens(baseModel: string): number;
  modelStorageUsdPerHour(baseModel: string): number;
  modelUnitUsdPerHour(baseModel: string, commitment: Commitment): number;
  deploymentUsdPerHour(baseModel: string): number;
  usdPerThousandInputTokens(baseModel: string): number;
  usdPerThousandOutputTokens(baseModel: string): number;
  objectStorageUsdPerGigabyteMonth(): number;
  /** Null where the table has no such instance. */
  trainingInstanceUsdPerHour(instanceType: string): number | null;
  /** The instances that the table has. */
  trainingInstanceTypes(): string[];
}

/** Reads and checks a price table; one error lists everything that is wrong with the file. */
export function loadPrices(path: string): Prices {
  const parsed = parseInput(tableSchema, readJson(path));
  if ('problems' in parsed) {
    throw new PermanentFailure('InvalidInput', formatProblems(`the price table ${path}`, parsed.problems), [
      ...parsed.problems,
    ]);
  }
  const { rows } = parsed.value;
  const instances = rows.filter(({ item }) => item === 'trainingInstance');

  const find = (item: PriceItem, baseModel: string, commitment: Commitment = 'none'): number => {
    const offers = rows.filter((row) => row.item === item && (row.commitment ?? 'none') === commitment);
    const row =
      offers.find((offer) => offer.baseModel === baseModel) ??
      offers.find((offer) => offer.baseModel === '*');
    if (row) return row.usd;
    const what = commitment === 'none' ? item : `${item} with commitment ${commitment}`;
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: the price table ${path} has no price of ${what} for ${baseModel}; add a row, or use a base model that has one: ${[...new Set(offers.map((offer) => offer.baseModel))].join(', ') || 'none'}.`,
      [{ item, baseModel, commitment }],
    );
  };

  return {
    trainingUsdPerThousandTokens: (baseModel) => find('training', baseModel),
    modelStorageUsdPerHour: (baseModel) => find('modelStorage', baseModel) / hoursPerMonth,
    modelUnitUsdPerHour: (baseModel, commitment) => find('modelUnit', baseModel, commitment),
    deploymentUsdPerHour: (baseModel) => find('customModelDeployment', baseModel),
    usdPerThousandInputTokens: (baseModel) => find('inputTokens', baseModel),
    usdPerThousandOutputTokens: (baseModel) => find('outputTokens', baseModel),
    objectStorageUsdPerGigabyteMonth: () => find('objectStorage', '*'),
    trainingInstanceUsdPerHour: (instanceType) =>
      instances.find((row) => row.instanceType === instanceType)?.usd ?? null,
    trainingInstanceTypes: () => instances.flatMap((row) => row.instanceType ?? []),
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: the price table ${path} cannot be read: ${error instanceof Error ? error.message : error}`,
      [{ path }],
      { cause: error },
    );
  }
}
