import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { StoredFile } from '../../../domain/dataset.js';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import { canonicalJson } from '../../../domain/json.js';
import type { TrainingJobRequest } from '../../../domain/training-job.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { hashFile } from '../../hash-file.js';
import { baseModelPath, checkBaseModel } from './base-models.js';
import { createJob, isOurs, type JobFolder, jobPath, openJob, type RecordedRequest } from './job-folder.js';
import { findMissingTool, type LocalTrainingOptions } from './options.js';
import { type LocalTrainingSettings, threadsOf, toTrainerHyperparameters } from './settings.js';

/** The job's folder, made or found; see `TrainingProvider.submit`. Starts nothing. */
export async function adoptOrCreateJob(
  options: LocalTrainingOptions,
  request: TrainingJobRequest,
  isCurrent: () => boolean,
): Promise<JobFolder> {
  const { home } = options;
  const { jobName } = request;
  const existing = await adopt(home, request);
  if (existing) return existing;
  refuseTheImpossible(options, request);
  await createJob(home, jobName, (path) => fill(options, request, path), isCurrent);
  const created = await adopt(home, request);
  if (created) return created;
  throw new Error(`This attempt to create training job ${jobName} was interrupted too long`);
}

async function adopt(home: string, request: TrainingJobRequest): Promise<JobFolder | null> {
  const job = await openJob(home, request.jobName);
  if (job === null) return null;
  const { request: recorded, requestHash } = job.request;
  const isOfThisRun = isOurs(job) && recorded.idempotencyToken === request.idempotencyToken;
  if (isOfThisRun && requestHash === hashOf(request)) return job;
  const owner = recorded.tags['anneal:workflow'] ?? null;
  const why = isOfThisRun
    ? 'was created by this run with other settings, so it was reset after its recipe or data were changed. Start a new run'
    : `${owner ? `belongs to workflow ${owner}` : 'was not created by Anneal'} (${job.path}). Delete it if nobody needs it, or run under another model name`;
  throw new PermanentFailure(
    'Conflict',
    `Conflict: the training job "${request.jobName}" exists already and ${why}.`,
    [{ kind: 'training job', name: request.jobName, owner }],
  );
}

function refuseTheImpossible(
  options: LocalTrainingOptions,
  { jobName, baseModel }: TrainingJobRequest,
): void {
  const problem = checkBaseModel(options.home, baseModel);
  const unknown = problem && `base model ${problem.found} is not there; allowed: ${problem.allowed}`;
  const reason = findMissingTool(options) ?? unknown;
  if (reason === null) return;
  const said = `ProviderRejected: could not start training job ${jobName} on this machine: ${reason}.`;
  throw new PermanentFailure('ProviderRejected', said, [{ jobName, baseModel }]);
}

async function fill(options: LocalTrainingOptions, request: TrainingJobRequest, path: string): Promise<void> {
  const { objects, home, trainers } = options;
  const { jobName, training, validation } = request;
  // The trainer reads from where the folder will lie, not from where it is filled.
  const finalPath = jobPath(home, jobName);
  const settings = request.settings as LocalTrainingSettings;
  try {
    await mkdir(join(path, 'data'));
    await download(objects, training, join(path, trainingFile));
    if (validation) await download(objects, validation, join(path, validationFile));
    const trainerRequest = {
      directory: finalPath,
      baseModel: baseModelPath(home, request.baseModel),
      trainingFile: join(finalPath, trainingFile),
      validationFile: validation && join(finalPath, validationFile),
      hyperparameters: toTrainerHyperparameters(request.hyperparameters),
      threads: threadsOf(settings, trainers),
      engine: settings.engine ?? 'auto',
    };
    await writeFile(join(path, 'train.json'), JSON.stringify(trainerRequest, null, 2), { flush: true });
    const submittedAt = new Date().toISOString();
    const record: RecordedRequest = { request, requestHash: hashOf(request), submittedAt };
    await writeFile(join(path, 'request.json'), JSON.stringify(record, null, 2), { flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    const said = `The disk of ${home} is full; training job ${jobName} starts by itself once there is room`;
    throw new Obstacle('capacity', said, { cause: error });
  }
}

const trainingFile = join('data', 'training.jsonl');
const validationFile = join('data', 'validation.jsonl');

async function download(objects: ObjectStore, { uri, sha256 }: StoredFile, path: string): Promise<void> {
  const body = await objects.read(uri);
  if (body === null) throw rejected(uri, 'it is not there; build the dataset again');
  await pipeline(body, createWriteStream(path, { flush: true }));
  const found = await hashFile(path);
  if (found === sha256) return;
  throw rejected(
    uri,
    `it has SHA-256 ${found}; the dataset's manifest says ${sha256}. Build the dataset again`,
  );
}

function rejected(uri: string, reason: string): PermanentFailure {
  return new PermanentFailure('ProviderRejected', `ProviderRejected: could not train on ${uri}: ${reason}.`, [
    { uri },
  ]);
}

/** SHA-256 over everything that is asked for besides names and tags. */
function hashOf(request: TrainingJobRequest): string {
  const { jobName: _name, modelName: _model, idempotencyToken: _token, tags: _tags, ...asked } = request;
  return createHash('sha256').update(canonicalJson(asked)).digest('hex');
}
