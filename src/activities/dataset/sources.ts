import type { DatasetRecord } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { Recipe } from '../../domain/recipe.js';
import type { DatasetSource } from '../../domain/run-spec.js';
import { openLocalFile, openLocalFolder } from './local-files.js';
import type { ObjectStore } from './object-store.js';
import type { SourceFile } from './source-file.js';
import { type OpenedRows, openSql, type SqlSurroundings } from './sql-source.js';
import { openStoredFile, openStoredFolder } from './stored-files.js';

/** Where the rows of a dataset come from, found and readable. */
export type OpenedSource =
  | { readonly kind: 'files'; readonly description: string; readonly files: readonly SourceFile[] }
  | {
      readonly kind: 'records';
      readonly description: string;
      /** How many records were asked for. */
      readonly expected: number;
      build(): Iterable<DatasetRecord>;
    }
  | OpenedRows;

export interface SourceSurroundings extends SqlSurroundings {
  readonly objects: ObjectStore;
  /** Relative paths start here. */
  readonly workingDirectory: string;
}

/** Finds the source. Throws `InvalidInput` that names the path, what was found there and what to give instead. */
export async function openSource(
  source: Exclude<DatasetSource, { kind: 'manifest' }>,
  recipe: Recipe,
  surroundings: SourceSurroundings,
): Promise<OpenedSource> {
  if (source.kind === 'builder') return openBuilder(source, recipe);
  if (source.kind === 'sql') return openSql(source, surroundings);
  const isStored = source.path.startsWith('s3://');
  if (source.kind === 'file') {
    const file = isStored
      ? await openStoredFile(source.path, surroundings.objects)
      : await openLocalFile(source.path, surroundings.workingDirectory);
    return { kind: 'files', description: `file:${source.path}`, files: [file] };
  }
  const files = isStored
    ? await openStoredFolder(source.path, surroundings.objects)
    : await openLocalFolder(source.path, surroundings.workingDirectory);
  return { kind: 'files', description: `folder:${source.path}`, files };
}

function openBuilder(source: Extract<DatasetSource, { kind: 'builder' }>, recipe: Recipe): OpenedSource {
  const { builder } = recipe;
  if (builder === null) {
    throw new PermanentFailure(
      'InvalidInput',
      `dataset.source.kind is "builder", but the recipe "${recipe.name}" has no builder. Give "file" or "folder" with a "path", or "manifest" with a "uri".`,
    );
  }
  const supplied = recipe.defaults.dataset.source;
  const usual = supplied?.kind === 'builder' ? supplied : null;
  const backend = source.backend ?? usual?.backend ?? builder.backends[0] ?? '';
  if (!builder.backends.includes(backend)) {
    throw new PermanentFailure(
      'InvalidInput',
      `dataset.source.backend is "${backend}"; the recipe "${recipe.name}" builds with ${builder.backends.map((name) => `"${name}"`).join(' or ')}.`,
    );
  }
  const records = source.records ?? usual?.records;
  if (records === undefined) {
    throw new PermanentFailure(
      'InvalidInput',
      `dataset.source.records is missing, and the recipe "${recipe.name}" names no usual number. Give a number from 8 to 20000.`,
    );
  }
  const seed = source.seed ?? usual?.seed ?? 0;
  return {
    kind: 'records',
    description: `builder:${backend} records=${records} seed=${seed}`,
    expected: records,
    build: () => builder.build({ backend, records, seed }),
  };
}
