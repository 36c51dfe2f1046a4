import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { buildDataset } from '../activities/dataset/build-dataset.js';
import type { ObjectStore } from '../activities/dataset/object-store.js';
import { choose } from '../activities/providers.js';
import { estimateCost } from '../activities/run-spec/estimate.js';
import type { CostEstimate } from '../domain/money.js';
import type { DatasetSource, RunSpec } from '../domain/run-spec.js';
import { createDependencies, createResolveDependencies } from '../workers/dependencies.js';
import { resolveOffline } from './resolve-offline.js';
import { commandConfig } from './stack-addresses.js';

export interface RunEstimate extends CostEstimate {
  readonly dataset: {
    readonly trainingRecords: number;
    readonly validationRecords: number;
    readonly trainingTokens: number;
  };
  readonly budgetUsd: number;
  readonly isWithinBudget: boolean;
}

/** What a run would cost: builds its dataset as the run would, but writes it nowhere. */
export async function estimateRun(input: RunSpec): Promise<RunEstimate> {
  const spec = resolveOffline(input);
  const { recipes, close } = createResolveDependencies(commandConfig({ offline: true }));
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
      isWithinBudget: estimate.totalUsd <= spec.budgetUsd,
    };
  } finally {
    await storage.close();
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
}
