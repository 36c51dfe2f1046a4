import { join } from 'node:path';
import { PermanentFailure } from '../../../domain/failures.js';
import { formatProblems } from '../../../domain/parse-input.js';
import type { OwnedPage, OwnedResource } from '../../../domain/sweep.js';
import type { TrainingJobReference } from '../../../domain/training-job.js';
import { writeRecord } from '../../record-files.js';
import type { TrainingProvider } from '../provider.js';
import { deleteArtifact, manifestUriOf } from './artifact.js';
import { checkBaseModel } from './base-models.js';
import { describeJob } from './describe.js';
import {
  deleteJob,
  isOurs,
  type JobFolder,
  listJobs,
  openOwnJob,
  type RecordedEnd,
  readEnd,
  removeLeftovers,
} from './job-folder.js';
import type { LocalTrainingOptions } from './options.js';
import { checkEngine, parseLocalSettings, resolveHyperparameters } from './settings.js';
import { adoptOrCreateJob } from './submit.js';
import { keepGoing } from './supervision.js';

const name = 'local';

/**
 * Real LoRA training on this machine. Each job is a folder below `<home>/local/jobs`, looked after by a detached
 * supervisor, so it outlives the worker; all workers that poll for local jobs share one home. Needs nothing
 * installed until a job is submitted.
 */
export function createLocalTrainingProvider(options: LocalTrainingOptions): TrainingProvider {
  const { home, objects } = options;
  return {
    name,
    produces: 'adapter',
    resolve: (input) => resolve(options, input),
    // Electricity, wear and the machine's other uses are not counted.
    storageUsdPerHour: () => 0,

    async submit(request, isCurrent = () => true) {
      await removeLeftovers(home);
      const job = await adoptOrCreateJob(options, request, isCurrent);
      if ((await readEnd(job)) === null) await keepGoing(options, job);
      return referenceTo(job);
    },

    async find(jobName) {
      const job = await openOwnJob(home, jobName);
      return job && referenceTo(job);
    },

    async describe({ jobName }) {
      const job = await openOwnJob(home, jobName);
      if (job) return describeJob(options, job);
      throw new Error(
        `This machine knows no training job ${jobName} below ${home}; was it deleted, or started by a worker of another home or machine?`,
      );
    },

    cancel: (jobName) => cancel(options, jobName),
    deleteModel: (modelName) => deleteModel(options, modelName),

    async hasModel(modelName) {
      const job = await openOwnJob(home, modelName);
      return job !== null && (await objects.head(manifestUriOf(job.request.request))) !== null;
    },

    listOwned: () => listOwned(home),
  };
}

function resolve(
  { home }: LocalTrainingOptions,
  { baseModel, ...input }: Parameters<TrainingProvider['resolve']>[0],
): ReturnType<TrainingProvider['resolve']> {
  const unknown = checkBaseModel(home, baseModel);
  const hyperparameters = resolveHyperparameters(input.hyperparameters);
  const settings = parseLocalSettings(input.settings);
  const mismatch = checkEngine(settings.value, hyperparameters.values);
  const found = [unknown, mismatch].filter((problem) => problem !== null);
  const problems = [...found, ...hyperparameters.problems, ...settings.problems];
  if (problems.length > 0) {
    throw new PermanentFailure('InvalidInput', formatProblems('training', problems), problems);
  }
  return {
    hyperparameters: hyperparameters.values,
    settings: { ...settings.value },
    // As for storage: nobody sends a bill.
    usdPerThousandTokens: 0,
    epochs: Number(hyperparameters.values.epochCount),
    byHour: null,
  };
}

function referenceTo({ jobName, request }: JobFolder): TrainingJobReference {
  return { provider: name, jobName, modelName: request.request.modelName, jobId: `${name}/${jobName}` };
}

/** Leaves word for the supervisor, which stops the trainer, by force after a grace, and frees its files. */
async function cancel(options: LocalTrainingOptions, jobName: string): Promise<void> {
  const job = await openOwnJob(options.home, jobName);
  if (job === null || (await readEnd(job)) !== null) return;
  await writeRecord(join(job.path, 'cancel'), { at: new Date().toISOString() });
  const supervision = await keepGoing(options, job);
  if (supervision.phase !== 'stuck') return;
  // Nothing runs, and nothing is left that could write this down.
  const end: RecordedEnd = {
    status: 'stopped',
    message: null,
    adapterSha256: null,
    at: new Date().toISOString(),
  };
  await writeRecord(join(job.path, 'ended.json'), end);
}

async function deleteModel({ home, objects }: LocalTrainingOptions, modelName: string): Promise<void> {
  const job = await openOwnJob(home, modelName);
  if (job === null) return;
  if ((await readEnd(job)) === null) {
    throw new Error(
      `The model ${modelName} is still in use: its training job has not ended; cancel it first`,
    );
  }
  // The folder last: it is what knows where the files are.
  await deleteArtifact(objects, job.request.request);
  await deleteJob(home, modelName);
}

/** All on one page: jobs that have not ended, then models. Stopped and failed jobs own nothing but records. */
async function listOwned(home: string): Promise<OwnedPage> {
  const jobs = (await listJobs(home)).filter(isOurs);
  const ends = await Promise.all(jobs.map(readEnd));
  const resources = jobs.map((job, index): OwnedResource | null => {
    const end = ends[index] ?? null;
    if (end === null)
      return toResource(job, 'training-job', `${name}/${job.jobName}`, job.request.submittedAt);
    if (end.status !== 'completed') return null;
    return toResource(job, 'model', manifestUriOf(job.request.request), end.at);
  });
  const listed = resources.filter((resource) => resource !== null);
  return {
    resources: [
      ...listed.filter(({ kind }) => kind === 'training-job'),
      ...listed.filter(({ kind }) => kind === 'model'),
    ],
    observedAt: new Date().toISOString(),
    next: null,
  };
}

function toResource(
  { jobName, request }: JobFolder,
  kind: OwnedResource['kind'],
  id: string,
  createdAt: string,
): OwnedResource {
  const { tags } = request.request;
  return { kind, provider: name, name: jobName, id, createdAt, tags, usdPerHour: 0, settings: {} };
}
