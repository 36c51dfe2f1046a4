import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { buildDataset } from '../activities/dataset/build-dataset.js';
import type { ObjectPage, ObjectStore, UnfinishedUpload } from '../activities/dataset/object-store.js';
import { choose } from '../activities/providers.js';
import { estimateCost } from '../activities/run-spec/estimate.js';
import { type ExceededBudget, exceededBudgets } from '../domain/budget.js';
import type { CostEstimate } from '../domain/money.js';
import type { DatasetSource, ResolvedRunSpec, RunSpec } from '../domain/run-spec.js';
import { createDependencies, createResolveDependencies, openBudgets } from '../workers/dependencies.js';
import { resolveOffline } from './resolve-offline.js';
import { commandConfig, knowsDatabase } from './stack-addresses.js';

export interface RunEstimate extends CostEstimate {
  readonly dataset: {
    readonly trainingRecords: number;
    readonly validationRecords: number;
    readonly trainingTokens: number;
  };
  readonly budgetUsd: number;
  /** Whether the run's own budget is enough. */
  readonly isWithinBudget: boolean;
  /** The whole term's price where the run buys a commitment; else null. */
  readonly commitmentUsd: number | null;
  /** Every budget that the run would pass now; null where no database answered. Its own is among them. */
  readonly exceeded: readonly ExceededBudget[] | null;
}

/** What a run would cost: builds its dataset as the run would, but writes it nowhere. */
export async function estimateRun(input: RunSpec): Promise<RunEstimate> {
  const spec = resolveOffline(input);
  const { recipes, databases, close } = createResolveDependencies(commandConfig({ offline: true }));
  close();
  const storage = await openStorage(spec.dataset.source);
  try {
    const manifest = await buildDataset(
      {
        recipe: choose(recipes, spec.recipe, 'recipe'),
        source: spec.dataset.source,
        validationShare: spec.dataset.validationShare,
        destination: `s3://${storage.objects.bucket}/estimate`,
        format: 'bedrock-conversation-2024',
      },
      {
        objects: storage.objects,
        databases,
        workingDirectory: process.cwd(),
        temporaryDirectory: tmpdir(),
      },
    );
    const estimate = estimateCost(spec, manifest);
    return {
      ...estimate,
      dataset: {
        trainingRecords: manifest.training.records,
        validationRecords: manifest.validation?.records ?? 0,
        trainingTokens: manifest.trainingTokens,
      },
      budgetUsd: spec.budgetUsd,
      isWithinBudget: exceededBudgets([], estimate.totalUsd, spec.budgetUsd).length === 0,
      commitmentUsd: spec.prices.commitmentUsd,
      exceeded: await findExceeded(spec, estimate.totalUsd),
    };
  } finally {
    await storage.close();
  }
}

/** Looks at the budgets of the running stack, or of DATABASE_URL; an estimate needs neither. */
async function findExceeded(
  { model, budgetUsd }: Pick<ResolvedRunSpec, 'model' | 'budgetUsd'>,
  neededUsd: number,
): Promise<ExceededBudget[] | null> {
  if (!knowsDatabase()) return null;
  const { budgets, close } = openBudgets(commandConfig({ offline: true }));
  try {
    const others = await budgets.check({ model, scheduleId: null }, neededUsd);
    return [...exceededBudgets([], neededUsd, budgetUsd), ...others];
  } catch {
    return null;
  } finally {
    await close();
  }
}

/** Object storage that can be read where the source lies in it, and that keeps what is written to itself. */
async function openStorage(
  source: DatasetSource,
): Promise<{ objects: ObjectStore; close: () => Promise<void> }> {
  const config = commandConfig({ offline: !isStored(source) });
  if (!isStored(source))
    return { objects: new ScratchObjectStore(config.bucket, null), close: async () => {} };
  const dependencies = await createDependencies(config);
  return {
    objects: new ScratchObjectStore(config.bucket, dependencies.objects),
    close: () => dependencies.close(),
  };
}

function isStored(source: DatasetSource): boolean {
  return source.kind === 'manifest' || (source.kind !== 'builder' && source.path.startsWith('s3://'));
}

/** Reads through to a store, if any; small texts written to it can be read back, files are dropped. */
class ScratchObjectStore implements ObjectStore {
  readonly #texts = new Map<string, string>();

  constructor(
    readonly bucket: string,
    readonly below: ObjectStore | null,
  ) {}

  async ensureBucket(): Promise<void> {}

  async put(uri: string, body: string | Uint8Array): Promise<void> {
    this.#texts.set(uri, Buffer.from(body).toString('utf8'));
  }

  async putIfAbsent(uri: string, body: string | Uint8Array): Promise<boolean> {
    if (this.#texts.has(uri)) return false;
    await this.put(uri, body);
    return true;
  }

  async putFile(): Promise<void> {}

  async getText(uri: string): Promise<string | null> {
    return this.#texts.get(uri) ?? (await this.below?.getText(uri)) ?? null;
  }

  async read(uri: string): Promise<Readable | null> {
    const text = this.#texts.get(uri);
    if (text !== undefined) return Readable.from([text], { objectMode: false });
    return (await this.below?.read(uri)) ?? null;
  }

  async head(uri: string): Promise<{ bytes: number } | null> {
    const text = this.#texts.get(uri);
    if (text !== undefined) return { bytes: Buffer.byteLength(text) };
    return (await this.below?.head(uri)) ?? null;
  }

  async list(prefixUri: string): Promise<string[]> {
    return (await this.below?.list(prefixUri)) ?? [];
  }

  async delete(uri: string): Promise<void> {
    this.#texts.delete(uri);
  }

  listPage(): Promise<ObjectPage> {
    throw new Error('An estimate sweeps nothing');
  }

  listUploads(): Promise<{ uploads: readonly UnfinishedUpload[]; observedAt: string }> {
    throw new Error('An estimate sweeps nothing');
  }

  abortUpload(): Promise<void> {
    throw new Error('An estimate sweeps nothing');
  }
}
