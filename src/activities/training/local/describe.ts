import { join } from 'node:path';
import { sparkline } from '../../../domain/loss-curve.js';
import type { TrainingJobDescription } from '../../../domain/training-job.js';
import { readRecord, writeRecord } from '../../record-files.js';
import { deleteArtifact, findDamage, uploadArtifact } from './artifact.js';
import { describeEngine, describeStep, lossCurveOf, readProgress, type TrainingProgress } from './events.js';
import { isCancelled, type JobFolder, openJob, type RecordedEnd, readEnd } from './job-folder.js';
import type { LocalTrainingOptions } from './options.js';
import { keepGoing, type Supervision } from './supervision.js';

/** Looks at a job, starts it again where its processes have died, and uploads what it made. */
export async function describeJob(
  options: LocalTrainingOptions,
  job: JobFolder,
): Promise<TrainingJobDescription> {
  const end = await readEnd(job);
  if (end) return describeEnd(options, job, end);
  const supervision = await keepGoing(options, job);
  const progress = await readProgress(job.path);
  return {
    ...lossesOf(progress),
    ...(isCancelled(job) ? stopping(supervision) : goingOn(job, supervision, progress)),
    failureMessage: null,
    modelId: null,
    startedAt: progress.startedAt,
    endedAt: null,
    billedHours: null,
  };
}

type State = Pick<TrainingJobDescription, 'status' | 'rawStatus' | 'progress'>;

function goingOn(job: JobFolder, supervision: Supervision, progress: TrainingProgress): State {
  const { step, training } = progress;
  const engine = describeEngine(progress);
  const on = engine === null ? '' : `, ${engine}`;
  const reached = step && `${describeStep(step, epochsOf(job))}${on} ${sparkline(training)}`;
  switch (supervision.phase) {
    case 'stuck':
      return { status: 'pending', rawStatus: 'Queued', progress: `cannot go on: ${supervision.reason}` };
    case 'queued': {
      const { before } = supervision;
      const line = `waiting for the machine: ${before} job${before === 1 ? '' : 's'} before it`;
      return { status: 'pending', rawStatus: 'Queued', progress: reached ? `${line}; ${reached}` : line };
    }
    case 'starting':
      return {
        status: 'running',
        rawStatus: 'Starting',
        progress: reached ? `starting again after ${reached}` : 'the trainer is starting',
      };
    case 'training':
      if (reached) return { status: 'running', rawStatus: 'Training', progress: reached };
      return { status: 'running', rawStatus: 'Starting', progress: 'the trainer is loading model and data' };
  }
}

function stopping(supervision: Supervision): State {
  const progress =
    supervision.phase === 'stuck'
      ? `cannot stop cleanly: ${supervision.reason}`
      : 'the trainer was asked to stop';
  return { status: 'stopping', rawStatus: 'Stopping', progress };
}

async function describeEnd(
  { objects }: LocalTrainingOptions,
  job: JobFolder,
  end: RecordedEnd,
): Promise<TrainingJobDescription> {
  const progress = await readProgress(job.path);
  const { step } = progress;
  const last = step ? describeStep({ ...step, etaSeconds: null }, epochsOf(job)) : 'before its first step';
  const { earlyStop, engine } = lossCurveOf(progress);
  const reached = [engine ? `${last}, ${engine}` : last, ...(earlyStop === null ? [] : [earlyStop])].join(
    '; ',
  );
  const common = {
    ...lossesOf(progress),
    failureMessage: null,
    modelId: null,
    lossCurve: lossCurveOf(progress),
    startedAt: progress.startedAt,
    endedAt: end.at,
    billedHours: null,
  };
  if (end.status === 'stopped') {
    return { ...common, status: 'cancelled', rawStatus: 'Stopped', progress: `stopped: ${reached}` };
  }
  if (end.status === 'failed') return failed(common, end.message ?? 'the trainer gives no reason', reached);
  const uploaded = await publish(objects, job, end, progress);
  if ('damage' in uploaded) return failed(common, uploaded.damage, reached);
  const completed = {
    status: 'succeeded',
    rawStatus: 'Completed',
    progress: `completed: ${reached}`,
  } as const;
  return { ...common, ...completed, modelId: uploaded.modelId };
}

function failed(
  common: Omit<TrainingJobDescription, keyof State>,
  failureMessage: string,
  reached: string,
): TrainingJobDescription {
  return { ...common, status: 'failed', rawStatus: 'Failed', progress: `failed: ${reached}`, failureMessage };
}

/** Uploads a completed job's adapter once; what is not what the trainer wrote is never published. */
async function publish(
  objects: LocalTrainingOptions['objects'],
  job: JobFolder,
  { adapterSha256 }: RecordedEnd,
  progress: TrainingProgress,
): Promise<{ readonly modelId: string } | { readonly damage: string }> {
  const before = await readUploaded(job);
  if (before) return before;
  const damage = await findDamage(job, adapterSha256);
  if (damage !== null || adapterSha256 === null) return { damage: damage ?? '' };
  const modelId = await uploadArtifact(objects, job, adapterSha256, progress);
  if ((await openJob(job.home, job.jobName)) === null) {
    // Deleted meanwhile: nobody else knows of these files any more.
    await deleteArtifact(objects, job.request.request);
    throw new Error(`The training job ${job.jobName} was deleted while its model was uploaded`);
  }
  await writeRecord(uploadedRecord(job), { modelId });
  return { modelId };
}

/** Null until the model of a completed job is in the object store. */
export function readUploaded(job: JobFolder): Promise<{ readonly modelId: string } | null> {
  return readRecord(uploadedRecord(job));
}

function uploadedRecord({ path }: JobFolder): string {
  return join(path, 'uploaded.json');
}

function lossesOf({ step, validationLoss }: TrainingProgress) {
  return { trainingLoss: step?.trainingLoss ?? null, validationLoss };
}

function epochsOf(job: JobFolder): string {
  return job.request.request.hyperparameters.epochCount ?? '?';
}
