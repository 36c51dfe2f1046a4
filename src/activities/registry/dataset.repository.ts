import type { Kysely } from 'kysely';
import type { Database } from '../../database/database.js';
import type { DatasetManifest } from '../../domain/dataset.js';
import type { Author } from './registry.js';

/** Keeps a manifest once per content and workflow. */
export async function insertDataset(
  database: Kysely<Database>,
  author: Author,
  model: string,
  manifest: DatasetManifest,
): Promise<void> {
  await database
    .insertInto('datasets')
    .values({
      sha256: manifest.sha256,
      model,
      manifest_uri: manifest.manifestUri,
      records: manifest.records,
      source: manifest.source,
      recipe_hash: manifest.recipeHash,
      manifest: JSON.stringify(manifest),
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .onConflict((conflict) => conflict.columns(['sha256', 'workflow_id']).doNothing())
    .execute();
}
