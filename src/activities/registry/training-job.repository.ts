import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { TrainingJobDescription, TrainingJobRequest } from '../../domain/training-job.js';
import type { Author } from './registry.js';

/**
 * Writes a job's state under its name. A job that has ended stays ended: a late retry that still carries an
 * earlier state changes nothing. Who wrote first stays the row's author.
 */
export async function upsertTrainingJob(
  database: Kysely<Database>,
  author: Author,
  model: string,
  request: Pick<TrainingJobRequest, 'provider' | 'jobName' | 'baseModel' | 'hyperparameters'>,
  jobId: string,
  description: TrainingJobDescription,
): Promise<void> {
  const state = {
    status: description.status,
    raw_status: description.rawStatus,
    progress: description.progress,
    failure_message: description.failureMessage,
    model_id: description.modelId,
    training_loss: description.trainingLoss,
    validation_loss: description.validationLoss,
    started_at: toDate(description.startedAt),
    ended_at: toDate(description.endedAt),
  };
  await database
    .insertInto('training_jobs')
    .values({
      job_name: request.jobName,
      job_id: jobId,
      model,
      provider: request.provider,
      base_model: request.baseModel,
      hyperparameters: JSON.stringify(request.hyperparameters),
      total_epochs: toNumber(request.hyperparameters.epochCount),
      learning_rate: toNumber(request.hyperparameters.learningRate),
      ...state,
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .onConflict((conflict) =>
      conflict
        .column('job_name')
        .doUpdateSet({ ...state, updated_at: sql`clock_timestamp()` })
        .where('training_jobs.status', 'not in', ['succeeded', 'failed', 'cancelled']),
    )
    .execute();
}

function toDate(instant: string | null): Date | null {
  return instant === null ? null : new Date(instant);
}

function toNumber(value: string | undefined): number | null {
  const number = Number(value);
  return value === undefined || !Number.isFinite(number) ? null : number;
}
