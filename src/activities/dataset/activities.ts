import { cancellationSignal } from '@temporalio/activity';
import type { SourceDatabases } from '../../database/source-rows.js';
import type { DatasetManifest } from '../../domain/dataset.js';
import { Obstacle, PermanentFailure } from '../../domain/failures.js';
import { datasetPrefix } from '../../domain/names.js';
import type { Recipe } from '../../domain/recipe.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { choose } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { keepAlive } from '../waiting.js';
import { buildDataset } from './build-dataset.js';
import type { ObjectStore } from './object-store.js';

export interface DatasetDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly databases: SourceDatabases;
  readonly bucket: string;
  readonly temporaryDirectory: string;
  readonly workingDirectory: string;
}

export type DatasetActivities = ReturnType<typeof createDatasetActivities>;

export function createDatasetActivities(dependencies: DatasetDependencies) {
  const { recipes, registry, objects, databases, bucket, temporaryDirectory, workingDirectory } =
    dependencies;
  return {
    /** Builds, checks and stores the dataset; heartbeats what it is doing. */
    async buildDataset(spec: ResolvedRunSpec, author: Author): Promise<DatasetManifest> {
      let doing = 'starting';
      const manifest = await keepAlive(
        () =>
          buildDataset(
            {
              recipe: choose(recipes, spec.recipe, 'recipe'),
              source: spec.dataset.source,
              validationShare: spec.dataset.validationShare,
              destination: datasetPrefix(bucket, spec.model),
              format: 'bedrock-conversation-2024',
            },
            {
              objects,
              databases,
              temporaryDirectory,
              workingDirectory,
              signal: cancellationSignal(),
              progress: (text) => {
                doing = text;
              },
            },
          ),
        () => doing,
      ).catch(failAtOnce);
      await registry.recordDataset(author, spec.model, manifest);
      return manifest;
    },
  };
}

/** Nothing is bought yet: a file that may not be read is told at once, not waited for. */
function failAtOnce(error: unknown): never {
  if (!(error instanceof Obstacle) || !['permission', 'credentials'].includes(error.kind)) throw error;
  throw new PermanentFailure('ProviderRejected', `ProviderRejected: ${error.message}`, [], { cause: error });
}
