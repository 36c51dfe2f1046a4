import type { Generated, JSONColumnType } from 'kysely';
import type { DeploymentAction } from '../../domain/model-version.js';
import type { DeploymentConfig } from './fine-tuned-models.table.js';

/** Append-only: a trigger refuses every update, delete and truncate. */
export interface DeploymentHistoryTable {
  /** In order of writing, per model. */
  id: Generated<string>;
  model: string;
  version: number;
  action: DeploymentAction;
  previous_version: number | null;
  /** What the version was served by when this happened. */
  deployment_config: JSONColumnType<DeploymentConfig | null, string | null, string | null>;
  deployed_by: string;
  notes: string;
  workflow_id: string;
  run_id: string;
  at: Generated<Date>;
}
