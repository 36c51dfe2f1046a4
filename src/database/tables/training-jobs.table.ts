import type { Generated, JSONColumnType } from 'kysely';
import type { TrainingJobStatus } from '../../domain/training-job.js';

/** One row per external training job. Epochs and steps are null where the provider does not report them. */
export interface TrainingJobsTable {
  id: Generated<string>;
  /** The natural key. */
  job_name: string;
  /** The provider's own identifier. */
  job_id: string;
  model: string;
  provider: string;
  base_model: string;
  hyperparameters: JSONColumnType<Record<string, string>>;
  status: TrainingJobStatus;
  raw_status: string;
  progress: string;
  failure_message: string | null;
  /** The provider's identifier of the trained model. */
  model_id: string | null;
  current_epoch: number | null;
  total_epochs: number | null;
  current_step: number | null;
  total_steps: number | null;
  training_loss: number | null;
  validation_loss: number | null;
  learning_rate: number | null;
  started_at: Date | null;
  ended_at: Date | null;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
