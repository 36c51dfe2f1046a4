import type { Generated, JSONColumnType } from 'kysely';
import type { Artifact } from '../../domain/artifact.js';
import type { Verdict } from '../../domain/evaluation/evaluation.js';
import type { ModelVersionStatus } from '../../domain/model-version.js';

/** One row per registered model version. */
export interface FineTunedModelsTable {
  id: Generated<string>;
  model: string;
  version: number;
  recipe: string;
  provider: string;
  base_model: string;
  /** The provider's name for the trained model: the natural key. */
  model_name: string;
  model_id: string;
  job_name: string;
  dataset_sha256: string;
  dataset_manifest_uri: string;
  fingerprint: string;
  /** Null while the model is not converted. */
  artifact: JSONColumnType<Artifact | null, string | null, string | null>;
  status: ModelVersionStatus;
  verdict: Verdict | null;
  report_uri: string | null;
  deployed_at: Date | null;
  /** Null while the version is not deployed. */
  deployment_config: JSONColumnType<DeploymentConfig | null, string | null, string | null>;
  win_rate: number | null;
  gold_star_rate: number | null;
  avg_rating: number | null;
  consistency_score: number | null;
  tokens_per_second: number | null;
  latency_ms: number | null;
  vram_usage_gb: number | null;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

/** Where a version is served, as `fine_tuned_models` and `deployment_history` keep it. */
export interface DeploymentConfig {
  target: string;
  name: string;
  deploymentId: string;
  usdPerHour: number;
}
