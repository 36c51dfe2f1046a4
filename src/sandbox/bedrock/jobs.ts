import type {
  CreateModelCustomizationJobCommandInput,
  GetModelCustomizationJobCommandInput,
  ListModelCustomizationJobsCommandInput,
  StopModelCustomizationJobCommandInput,
} from '@aws-sdk/client-bedrock';
import { conflictError, notFoundError, validationError } from '../api/error.js';
import type { World } from '../world.js';
import { customizableModel, foundationModelArn, resolveHyperParameters } from './base-models.js';
import { assertSeen, findByToken, fingerprintOf, newIdentifier, quotaError } from './identity.js';
import { bucketOf, requireBucket, requireObject, snapshotDataset } from './job-files.js';
import { type JobProgress, jobProgress, type StageProgress } from './job-progress.js';
import { listPage } from './listing.js';
import type { JobRecord } from './records.js';
import { toTags } from './tags.js';

export function createModelCustomizationJob(
  world: World,
  input: CreateModelCustomizationJobCommandInput,
  region: string,
): { jobArn: string; created: JobRecord | null } {
  const fingerprint = fingerprintOf(input);
  const { jobs } = world.state;
  const known = findByToken(world, jobs.values(), input.clientRequestToken, fingerprint);
  if (known) return { jobArn: known.arn, created: null };
  const job = toJobRecord(world, input, region, fingerprint);
  checkNames(world, job);
  checkQuota(world);
  snapshotDataset(world, job);
  world.record({ type: 'job.created', at: job.createdAt, job });
  return { jobArn: job.arn, created: job };
}

function toJobRecord(
  world: World,
  input: CreateModelCustomizationJobCommandInput,
  region: string,
  fingerprint: string,
): JobRecord {
  const baseModel = customizableModel(input.baseModelIdentifier ?? '').id;
  if (input.customizationType && input.customizationType !== 'FINE_TUNING') {
    throw validationError(
      `The customizationType ${input.customizationType} is not supported here; allowed is FINE_TUNING.`,
    );
  }
  if (input.customizationConfig) throw validationError('customizationConfig does not go with FINE_TUNING.');
  const validators = input.validationDataConfig?.validators ?? [];
  if (validators.length > 1) {
    throw validationError(`validationDataConfig has ${validators.length} validators; allowed is one.`);
  }
  const trainingUri = input.trainingDataConfig?.s3Uri;
  if (!trainingUri) throw validationError('trainingDataConfig.s3Uri is missing; name one .jsonl object.');
  const validationUri = validators[0]?.s3Uri ?? null;
  const outputUri = input.outputDataConfig?.s3Uri ?? '';
  requireObject(world, trainingUri, 'trainingDataConfig.s3Uri');
  if (validationUri) requireObject(world, validationUri, 'validationDataConfig.validators.1.member.s3Uri');
  requireBucket(world, bucketOf(outputUri), 'outputDataConfig.s3Uri');
  const jobName = input.jobName ?? '';
  const id = newIdentifier('job', jobName, world.state.jobs.size);
  const account = `arn:aws:bedrock:${region}:${world.settings.accountId}`;
  return {
    id,
    arn: `${account}:model-customization-job/${baseModel}/${id}`,
    jobName,
    modelName: input.customModelName ?? '',
    modelArn: `${account}:custom-model/${baseModel}/${newIdentifier('model', input.customModelName ?? '', world.state.jobs.size)}`,
    baseModel,
    region,
    roleArn: input.roleArn ?? '',
    token: input.clientRequestToken ?? null,
    fingerprint,
    customizationType: input.customizationType ?? 'FINE_TUNING',
    hyperParameters: resolveHyperParameters(input.hyperParameters ?? {}),
    trainingUri,
    validationUri,
    outputUri,
    vpcConfig: input.vpcConfig ?? null,
    kmsKeyId: input.customModelKmsKeyId ?? null,
    tags: toTags(input.jobTags, jobName),
    modelTags: toTags(input.customModelTags, input.customModelName ?? ''),
    createdAt: world.now(),
    stopMs: world.settings.stopMinutes * 60_000,
    checked: null,
    trained: null,
    learnerFailure: null,
    stopRequestedAt: null,
    doom: null,
    settled: null,
  };
}

function checkNames(world: World, job: JobRecord): void {
  for (const other of world.state.jobs.values()) {
    if (other.jobName === job.jobName && !isNameFree(world, other)) {
      throw conflictError(
        `The job name ${job.jobName} is in use by ${other.arn}; job names are never freed.`,
      );
    }
    if (other.modelName === job.modelName && !other.settled) {
      throw conflictError(`The model name ${job.modelName} is in use by the unfinished job ${other.arn}.`);
    }
  }
  for (const model of world.state.models.values()) {
    if (model.name === job.modelName && model.deletedAt === null) {
      throw conflictError(`The model name ${job.modelName} is in use by ${model.arn}.`);
    }
  }
}

function isNameFree(world: World, { settled }: JobRecord): boolean {
  const hasFailed = settled !== null && settled.status !== 'Completed';
  return hasFailed && world.settings.readings.nameOfEndedJob === 'free';
}

function checkQuota(world: World): void {
  const limit = world.settings.quotas.scheduledCustomizationJobs;
  const unfinished = [...world.state.jobs.values()].filter((job) => !job.settled).length;
  if (unfinished >= limit) {
    throw quotaError(
      world,
      `There are ${unfinished} scheduled customization jobs; the quota allows ${limit}.`,
    );
  }
}

/** Returns the job that is stopped; null where a reading ignores the request. */
export function stopModelCustomizationJob(
  world: World,
  input: StopModelCustomizationJobCommandInput,
): JobRecord | null {
  const job = findJob(world, input.jobIdentifier ?? '');
  const { status } = progressOf(world, job);
  if (status === 'InProgress') {
    world.record({ type: 'job.stopRequested', at: world.now(), arn: job.arn });
    return job;
  }
  const message = `The job ${job.jobName} is ${status}; only a job that is InProgress can be stopped.`;
  const { stopOfEndedJob } = world.settings.readings;
  if (stopOfEndedJob === 'conflict') throw conflictError(message);
  if (stopOfEndedJob === 'validation-error') throw validationError(message);
  return null;
}

export function getModelCustomizationJob(world: World, input: GetModelCustomizationJobCommandInput) {
  const identifier = input.jobIdentifier ?? '';
  const job = findJob(world, identifier);
  assertSeen(world, job.createdAt, `There is no model customization job ${identifier}.`);
  const progress = progressOf(world, job);
  const last = progress.status === 'Completed' ? job.trained?.metrics.at(-1) : undefined;
  return {
    ...summaryOf(world, job, progress),
    outputModelName: job.modelName,
    outputModelArn: progress.status === 'Completed' ? job.modelArn : undefined,
    customModelName: undefined,
    customModelArn: undefined,
    clientRequestToken: job.token ?? undefined,
    roleArn: job.roleArn,
    failureMessage: progress.failureMessage ?? undefined,
    hyperParameters: job.hyperParameters,
    trainingDataConfig: { s3Uri: job.trainingUri },
    validationDataConfig: { validators: job.validationUri ? [{ s3Uri: job.validationUri }] : [] },
    outputDataConfig: { s3Uri: job.outputUri },
    vpcConfig: job.vpcConfig ?? undefined,
    outputModelKmsKeyArn: job.kmsKeyId?.match(/^arn:[^:]+:kms:[^:]*:\d{12}:key\//) ? job.kmsKeyId : undefined,
    trainingMetrics: last && { trainingLoss: last.trainingLoss },
    validationMetrics:
      last && typeof last.validationLoss === 'number' ? [{ validationLoss: last.validationLoss }] : undefined,
  };
}

export function listModelCustomizationJobs(world: World, input: ListModelCustomizationJobsCommandInput) {
  const jobs = [...world.state.jobs.values()]
    .map((job) => ({ job, name: job.jobName, createdAt: job.createdAt, progress: progressOf(world, job) }))
    .filter((each) => !input.statusEquals || each.progress.status === input.statusEquals);
  const filter = {
    nameContains: input.nameContains,
    after: input.creationTimeAfter,
    before: input.creationTimeBefore,
  };
  const { page, nextToken } = listPage(jobs, filter, input);
  return {
    nextToken,
    modelCustomizationJobSummaries: page.map((each) => summaryOf(world, each.job, each.progress)),
  };
}

function summaryOf(world: World, job: JobRecord, progress: JobProgress) {
  const changedAt = progress.endedAt ?? job.stopRequestedAt ?? Math.max(job.createdAt, lastChange(progress));
  return {
    jobArn: job.arn,
    jobName: job.jobName,
    baseModelArn: foundationModelArn(job.region, job.baseModel),
    status: progress.status,
    statusDetails: {
      validationDetails: stageDetails(progress.validation),
      dataProcessingDetails: stageDetails(progress.dataProcessing),
      trainingDetails: stageDetails(progress.training),
    },
    creationTime: timestamp(job.createdAt),
    lastModifiedTime: timestamp(Math.min(changedAt, world.now())),
    endTime: progress.endedAt === null ? undefined : timestamp(progress.endedAt),
    customModelName: job.modelName,
    customModelArn: progress.status === 'Completed' ? job.modelArn : undefined,
    customizationType: job.customizationType ?? undefined,
  };
}

function stageDetails(stage: StageProgress) {
  return {
    status: stage.status,
    creationTime: stage.startedAt === null ? undefined : timestamp(stage.startedAt),
    lastModifiedTime: stage.changedAt === null ? undefined : timestamp(stage.changedAt),
  };
}

function lastChange(progress: JobProgress): number {
  return Math.max(
    ...[progress.validation, progress.dataProcessing, progress.training].map((stage) => stage.startedAt ?? 0),
  );
}

export function progressOf(world: World, job: JobRecord): JobProgress {
  return jobProgress(job, world.now());
}

export function findJob(world: World, identifier: string): JobRecord {
  // The newest, where a name may be used again.
  const job = [...world.state.jobs.values()].findLast(
    ({ arn, jobName }) => arn === identifier || jobName === identifier,
  );
  if (job) return job;
  throw notFoundError(`There is no model customization job ${identifier}.`);
}

/** ISO 8601, the only form of time that the JavaScript SDK reads from Bedrock. */
export function timestamp(at: number): string {
  return new Date(at).toISOString();
}
