import type { DatasetManifest } from '../../domain/dataset.js';
import { trainingJobLease } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { formatHours, trainingUsd } from '../../domain/money.js';
import { trainingJobName, trainingOutputUri } from '../../domain/names.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import type { TrainingJobDescription, TrainingJobReference } from '../../domain/training-job.js';
import { failWith } from '../failures.js';
import { training, trainingPoll, trainingPurchase } from '../proxies.js';
import type { Run } from '../run.js';
import { purchaseMs, serviceHours } from './deadlines.js';

/** Submits one training job, waits for it for as long as it takes, and registers the model it made. */
export async function trainingStage(
  run: Run,
  spec: ResolvedRunSpec,
  dataset: DatasetManifest,
): Promise<ModelVersion> {
  return run.stage('training', 'TrainingFailed', async (stage) => {
    const job = await submit(run, spec, dataset);
    stage.note = `${job.jobName} is training`;
    run.state.job = {
      name: job.jobName,
      id: job.jobId,
      status: 'running',
      trainingLoss: null,
      validationLoss: null,
      lossCurve: null,
    };
    run.show();

    const ended = await awaitEnd(run, spec, job).catch((error: unknown) => {
      bookTraining(run, spec, dataset, { status: 'cancelled', billedHours: null });
      throw error;
    });

    const { status, trainingLoss, validationLoss, lossCurve = null } = ended;
    run.state.job = { name: job.jobName, id: job.jobId, status, trainingLoss, validationLoss, lossCurve };
    const loss = trainingLoss === null ? '' : `, training loss ${trainingLoss.toFixed(3)}`;
    const earlyStop = lossCurve?.earlyStop ? `; ${lossCurve.earlyStop}` : '';
    stage.note = `${job.jobName} ${status}${loss}${earlyStop}`;
    bookTraining(run, spec, dataset, ended);
    const modelId = modelOf(job, ended);

    const version = await training('Register the model').registerVersion({
      spec,
      dataset,
      job,
      modelId,
      author: run.author,
    });
    run.state.version = version.version;
    return version;
  });
}

async function submit(
  run: Run,
  spec: ResolvedRunSpec,
  dataset: DatasetManifest,
): Promise<TrainingJobReference> {
  const name = trainingJobName(spec.model, spec.run.key, 1);
  const resource = trainingJobLease({
    provider: spec.training.provider,
    jobName: name.name,
    model: spec.model,
    storageUsdPerHour: spec.prices.modelStorageUsdPerHour,
    filesUri: trainingOutputUri(spec.run.bucket, spec.model, name.name),
  });
  const hours = spec.deadlines;
  const holdHours = hours.purchaseHours + hours.trainingHours + serviceHours(spec);
  return run.purchases.buy(resource, holdHours, (isPatient) =>
    trainingPurchase(`Submit training job ${name.name}`, purchaseMs(spec, isPatient)).submitTrainingJob({
      spec,
      dataset,
      name,
      author: run.author,
      isPatient,
    }),
  );
}

async function awaitEnd(
  run: Run,
  spec: ResolvedRunSpec,
  job: TrainingJobReference,
): Promise<TrainingJobDescription> {
  const hours = spec.deadlines.trainingHours;
  return trainingPoll(`Wait for ${job.jobName} (up to ${hours} h)`, hours * 3_600_000).awaitTrainingJob({
    spec,
    job,
    author: run.author,
  });
}

/**
 * A job that was stopped is booked whole: what it trained is billed, and nobody says how much that was. A machine's
 * time is billed whatever came of it.
 */
function bookTraining(
  run: Run,
  spec: ResolvedRunSpec,
  dataset: DatasetManifest,
  { status, billedHours }: Pick<TrainingJobDescription, 'status' | 'billedHours'>,
): void {
  const { epochs, usdPerThousandTrainingTokens, trainingByHour } = spec.prices;
  if (trainingByHour) {
    const { machine, usdPerHour, maximumHours } = trainingByHour;
    const hours = billedHours ?? maximumHours;
    const limit = billedHours === null ? 'at most ' : '';
    run.spend(`training: ${limit}${formatHours(hours)} h on ${machine}`, hours * usdPerHour);
    return;
  }
  if (status === 'failed') return;
  run.spend(
    `training: ${dataset.trainingTokens} tokens × ${epochs} epochs${status === 'cancelled' ? ' (stopped: at most)' : ''}`,
    trainingUsd({
      tokens: dataset.trainingTokens,
      epochs,
      usdPerThousandTokens: usdPerThousandTrainingTokens,
    }),
  );
}

function modelOf(job: TrainingJobReference, ended: TrainingJobDescription): string {
  if (ended.status === 'succeeded' && ended.modelId) return ended.modelId;
  if (ended.status === 'succeeded') {
    throw failWith('TrainingFailed', `${job.jobName} completed without a model (${ended.rawStatus}).`);
  }
  if (ended.status === 'cancelled') {
    throw failWith('TrainingFailed', `${job.jobName} was stopped by somebody else (${ended.rawStatus}).`);
  }
  throw failWith(
    'TrainingFailed',
    `${job.jobName}: ${ended.failureMessage ?? 'the provider gives no reason'}`,
  );
}
