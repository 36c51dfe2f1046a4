import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatasetManifest } from '../../domain/dataset.js';
import type { CostEstimate } from '../../domain/money.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { buildDataset } from '../dataset/build-dataset.js';
import { createFolderObjectStore } from '../dataset/folder-object-store.js';
import { choose } from '../providers.js';
import { estimateCost } from './estimate.js';
import type { ResolveDependencies } from './resolve.js';

export interface RunEstimate {
  readonly dataset: Pick<DatasetManifest, 'records' | 'counts' | 'trainingTokens' | 'tokenizer' | 'sha256'>;
  readonly estimate: CostEstimate;
}

/**
 * What a run would cost, without starting it: builds and checks its dataset in a scratch folder, where it
 * is forgotten, and prices the result. Sources in object storage are not read here.
 */
export async function estimateRun(
  spec: ResolvedRunSpec,
  { recipes }: Pick<ResolveDependencies, 'recipes'>,
  workingDirectory: string,
): Promise<RunEstimate> {
  const scratch = await mkdtemp(join(tmpdir(), 'anneal-estimate-'));
  try {
    const manifest = await buildDataset(
      {
        recipe: choose(recipes, spec.recipe, 'recipe'),
        source: spec.dataset.source,
        validationShare: spec.dataset.validationShare,
        destination: 's3://estimate/dataset',
        format: 'bedrock-conversation-2024',
      },
      {
        objects: createFolderObjectStore(join(scratch, 'objects'), 'estimate'),
        temporaryDirectory: join(scratch, 'build'),
        workingDirectory,
      },
    );
    const { records, counts, trainingTokens, tokenizer, sha256 } = manifest;
    return {
      dataset: { records, counts, trainingTokens, tokenizer, sha256 },
      estimate: estimateCost(spec, manifest),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
