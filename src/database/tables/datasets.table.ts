import type { Generated, JSONColumnType } from 'kysely';
import type { DatasetManifest } from '../../domain/dataset.js';

/** One row per dataset and workflow that built it. */
export interface DatasetsTable {
  id: Generated<string>;
  sha256: string;
  model: string;
  manifest_uri: string;
  records: number;
  source: string;
  recipe_hash: string;
  manifest: JSONColumnType<DatasetManifest>;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
}
