import {
  ListTrainingJobsCommand,
  type SageMakerClient,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker';
import type { Prices } from '../../../aws/prices.js';
import { isOurs } from '../../../aws/tags.js';
import { toFailure } from '../../../aws/to-failure.js';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import { formatProblems } from '../../../domain/parse-input.js';
import type { OwnedPage, OwnedResource } from '../../../domain/sweep.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../../domain/training-job.js';
import type { ObjectInventory, ObjectStore } from '../../dataset/object-store.js';
import { listOwnedPage } from '../../sweep/owned-page.js';
import { manifestUriOf } from '../local/artifact.js';
import { resolveHyperparameters } from '../local/settings.js';
import type { TrainingProvider } from '../provider.js';
import { deleteModelFiles, modelListUri, publishAdapter, requestUri } from './artifact.js';
import { type FoundJob, getJob, sageMakerTagReader } from './jobs.js';
import { parseSageMakerSettings, type SettingsDefaults } from './settings.js';
import { describeSageMakerProgress, limitOf, mapSageMakerStatus, metric, rawStatusOf } from './status.js';
import { submitJob } from './submit.js';

export interface SageMakerTrainingOptions {
  readonly sagemaker: SageMakerClient;
  readonly objects: ObjectStore & ObjectInventory;
  /** The folder of the package `anneal_training`. Absolute. */
  readonly trainingDirectory: string;
  readonly temporaryDirectory: string;
  readonly defaults: Omit<SettingsDefaults, 'bucket'>;
}

const name = 'sagemaker';

/**
 * LoRA training of open weights in a SageMaker training job: our own trainer in AWS's container. A job's files, and
 * the adapter made of its `model.tar.gz`, lie below its output folder in object storage.
 */
export function createSageMakerTrainingProvider(options: SageMakerTrainingOptions): TrainingProvider {
  const { sagemaker, objects } = options;
  const readTags = sageMakerTagReader(sagemaker);
  /** Null when there is none, or it is somebody else's. */
  const getOwnJob = async (jobName: string) => {
    const job = await getJob(sagemaker, jobName);
    return job && (await isOurs(readTags, job.TrainingJobArn)) ? job : null;
  };
  return {
    name,
    produces: 'adapter',
    resolve: (input) => resolve(options, input),
    // An adapter lies in object storage, whose price is the bucket's.
    storageUsdPerHour: () => 0,
    submit: (request, isCurrent = () => true) => submitJob(options, request, isCurrent),

    async find(jobName) {
      const job = await getOwnJob(jobName);
      return job && { provider: name, jobName, modelName: jobName, jobId: job.TrainingJobArn };
    },

    describe: (job) => describe(options, job),

    async cancel(jobName) {
      const job = await getOwnJob(jobName);
      if (!job || !isStoppable(job)) return;
      try {
        await sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: jobName }));
      } catch (error) {
        // It may have ended between the look and the request.
        const now = await getJob(sagemaker, jobName);
        if (now && isStoppable(now)) throw toFailure(error, `stop training job ${jobName}`);
      }
    },

    async deleteModel(modelName) {
      const request = await readRequest(objects, await getOwnJob(modelName));
      if (request) await deleteModelFiles(objects, request);
    },

    async hasModel(modelName) {
      const request = await readRequest(objects, await getOwnJob(modelName));
      return request !== null && (await objects.head(manifestUriOf(request))) !== null;
    },

    async listOwned(page) {
      try {
        return await listOwned(options, page);
      } catch (error) {
        // Who has named no role has trained nothing here, and need not be allowed to look.
        const isRefused = error instanceof Obstacle && error.kind === 'permission';
        if (!isRefused || options.defaults.roleArn !== null) throw error;
        return { resources: [], observedAt: new Date().toISOString(), next: null };
      }
    },
  };
}

function resolve(
  { defaults, objects }: SageMakerTrainingOptions,
  input: Parameters<TrainingProvider['resolve']>[0],
): ReturnType<TrainingProvider['resolve']> {
  const { prices } = defaults;
  const hyperparameters = resolveHyperparameters(input.hyperparameters);
  const settings = parseSageMakerSettings(input.settings, input.baseModel, {
    ...defaults,
    bucket: objects.bucket,
  });
  const problems = [...hyperparameters.problems, ...settings.problems];
  if (problems.length > 0 || settings.value === null) {
    throw new PermanentFailure('InvalidInput', formatProblems('training', problems), problems);
  }
  const { instanceType: machine, maximumMinutes } = settings.value;
  const usdPerHour = prices.trainingInstanceUsdPerHour(machine) ?? 0;
  return {
    hyperparameters: hyperparameters.values,
    settings: withoutUnset(settings.value),
    usdPerThousandTokens: 0,
    epochs: Number(hyperparameters.values.epochCount),
    // Spot costs less, by how much is known afterwards.
    byHour: { machine, usdPerHour, maximumHours: maximumMinutes / 60 },
  };
}

/** As they can be resolved again: a limit of waiting goes with spot alone. */
function withoutUnset({ maximumWaitMinutes, ...settings }: { spot: boolean; maximumWaitMinutes: number }) {
  return settings.spot ? { ...settings, maximumWaitMinutes } : settings;
}

async function describe(
  options: SageMakerTrainingOptions,
  { jobName, jobId }: TrainingJobReference,
): Promise<TrainingJobDescription> {
  const job = await getJob(options.sagemaker, jobName);
  if (!job) {
    throw new Error(`SageMaker knows no training job ${jobName} (${jobId}) yet; check region and account`);
  }
  const status = mapSageMakerStatus(job);
  const description: TrainingJobDescription = {
    status,
    rawStatus: rawStatusOf(job),
    progress: describeSageMakerProgress(job),
    failureMessage: await failureOf(options.objects, job),
    modelId: null,
    trainingLoss: metric(job, 'trainingLoss'),
    validationLoss: metric(job, 'validationLoss'),
    startedAt: job.TrainingStartTime?.toISOString() ?? null,
    endedAt: isTerminal(status) ? (job.TrainingEndTime?.toISOString() ?? null) : null,
    billedHours: isTerminal(status) ? billedHoursOf(job) : null,
  };
  if (status !== 'succeeded') return description;
  const published = await publish(options, job);
  if ('modelId' in published) return { ...description, modelId: published.modelId };
  return { ...description, progress: `completed, but ${published.damage}` };
}

/** A job that never had a machine costs nothing. */
function billedHoursOf({ BillableTimeInSeconds: seconds, TrainingStartTime }: FoundJob): number | null {
  if (seconds !== undefined) return seconds / 3600;
  return TrainingStartTime === undefined ? 0 : null;
}

async function publish({ objects, temporaryDirectory }: SageMakerTrainingOptions, job: FoundJob) {
  const request = await readRequest(objects, job);
  if (request === null) return { damage: 'its files were deleted' };
  return publishAdapter(objects, temporaryDirectory, request, job.ModelArtifacts?.S3ModelArtifacts ?? null);
}

async function failureOf(objects: ObjectStore, job: FoundJob): Promise<string | null> {
  const limit = job.TrainingJobStatus === 'Stopped' ? limitOf(job.SecondaryStatus) : null;
  if (limit === null) return job.FailureReason ?? null;
  const { MaxRuntimeInSeconds, MaxWaitTimeInSeconds } = job.StoppingCondition ?? {};
  const seconds = limit === 'maximumMinutes' ? MaxRuntimeInSeconds : MaxWaitTimeInSeconds;
  const artifact = job.ModelArtifacts?.S3ModelArtifacts;
  const isKept = artifact !== undefined && (await objects.head(artifact)) !== null;
  const left = isKept ? ` What SageMaker kept of it (${artifact}) is unfinished and is not used.` : '';
  return `SageMaker stopped it after ${Math.round((seconds ?? 0) / 60)} min (${job.SecondaryStatus}).${left} Raise training.settings.${limit}, take a faster instanceType, or train fewer epochs.`;
}

function isStoppable(job: FoundJob): boolean {
  const status = mapSageMakerStatus(job);
  return !isTerminal(status) && status !== 'stopping';
}

/** What our job was started with; null where there is no such job, or its files were deleted. */
async function readRequest(objects: ObjectStore, job: FoundJob | null): Promise<TrainingJobRequest | null> {
  const rawOutput = job?.OutputDataConfig?.S3OutputPath;
  if (!rawOutput) return null;
  const text = await objects.getText(requestUri(rawOutput.slice(0, rawOutput.lastIndexOf('/') + 1)));
  return text === null ? null : (JSON.parse(text) as TrainingJobRequest);
}

const stoppingPage = 'stopping:';
const modelsPage = 'models:';

function listOwned(options: SageMakerTrainingOptions, page: string | null): Promise<OwnedPage> {
  if (page?.startsWith(modelsPage)) return listModels(options, page.slice(modelsPage.length));
  if (page?.startsWith(stoppingPage)) {
    return listJobs(options, 'Stopping', page.slice(stoppingPage.length));
  }
  return listJobs(options, 'InProgress', page ?? '');
}

async function listJobs(
  { sagemaker, defaults: { prices } }: SageMakerTrainingOptions,
  status: 'InProgress' | 'Stopping',
  token: string,
): Promise<OwnedPage> {
  const command = new ListTrainingJobsCommand({
    StatusEquals: status,
    MaxResults: 100,
    NextToken: token || undefined,
  });
  const send = async () => {
    const { TrainingJobSummaries = [], NextToken } = await sagemaker.send(command);
    const resources = TrainingJobSummaries.map((listed) => ({
      kind: 'training-job' as const,
      provider: name,
      name: listed.TrainingJobName ?? '',
      id: listed.TrainingJobArn ?? '',
      createdAt: listed.CreationTime?.toISOString() ?? null,
      usdPerHour: null,
      settings: {},
    }));
    const last = status === 'InProgress' ? stoppingPage : modelsPage;
    const next = status === 'InProgress' ? NextToken : NextToken && `${stoppingPage}${NextToken}`;
    return { resources, next: next || last };
  };
  const page = await listOwnedPage(sageMakerTagReader(sagemaker), command, send, 'list training jobs');
  // Lists do not say on which machine a job runs.
  const priced = await Promise.all(
    page.resources.map(async (resource) => ({
      ...resource,
      usdPerHour: priceOf(await getJob(sagemaker, resource.name), prices),
    })),
  );
  return { ...page, resources: priced };
}

/** Null where the price table lacks the machine. */
function priceOf(job: FoundJob | null, prices: Prices): number | null {
  const { InstanceType = '', InstanceCount = 1 } = job?.ResourceConfig ?? {};
  const usdPerHour = prices.trainingInstanceUsdPerHour(InstanceType);
  return usdPerHour === null ? null : usdPerHour * InstanceCount;
}

/** Jobs are never deleted, so that their list only grows: models have one of their own, in object storage. */
async function listModels({ objects }: SageMakerTrainingOptions, after: string): Promise<OwnedPage> {
  const page = await objects.listPage(modelListUri(objects.bucket), after || null);
  const resources: OwnedResource[] = [];
  for (const { uri, modifiedAt } of page.objects) {
    const listed = JSON.parse((await objects.getText(uri)) ?? 'null') as { outputUri: string } | null;
    const text = listed && (await objects.getText(requestUri(listed.outputUri)));
    const request = text ? (JSON.parse(text) as TrainingJobRequest) : null;
    if (request === null || (await objects.head(manifestUriOf(request))) === null) continue;
    const id = manifestUriOf(request);
    const { modelName, tags } = request;
    resources.push({
      kind: 'model',
      provider: name,
      name: modelName,
      id,
      createdAt: modifiedAt,
      tags,
      usdPerHour: 0,
      settings: {},
    });
  }
  const last = page.objects.at(-1)?.uri;
  return {
    resources,
    observedAt: page.observedAt,
    next: page.isLast || last === undefined ? null : `${modelsPage}${last}`,
  };
}
