import { readFileSync } from 'node:fs';
import type {
  CreateTrainingJobCommandInput,
  ListTrainingJobsCommandInput,
  StopTrainingJobCommandInput,
} from '@aws-sdk/client-sagemaker';
import { AwsError, validationError } from '../api/error.js';
import { listPage } from '../bedrock/listing.js';
import type { World } from '../world.js';
import { readMetrics } from './machine-folder.js';
import { shownProgress, type TrainingJobProgress } from './progress.js';
import type { TrainingJobRecord, TrainingPlan } from './records.js';
import { findDataProblem, simulatedMetrics } from './simulation.js';
import { artifactUri, objectsBelow, parseS3Uri } from './storage.js';
import { toTags } from './tags.js';

export function createTrainingJob(world: World, input: CreateTrainingJobCommandInput, region: string) {
  const name = input.TrainingJobName ?? '';
  for (const job of world.state.trainingJobs.values()) {
    if (job.name === name && job.region === region) {
      throw new AwsError(
        'ResourceInUse',
        `Training job names must be unique within an AWS account and region, and a training job with this name already exists (${job.arn})`,
      );
    }
  }
  const steps = checkRequest(world, input);
  checkQuota(world);
  const arn = `arn:aws:sagemaker:${region}:${world.settings.accountId}:training-job/${name}`;
  const job: TrainingJobRecord = {
    arn,
    name,
    region,
    request: input,
    tags: toTags(input.Tags),
    createdAt: world.now(),
    plan: planOf(world),
    steps: steps.count,
    interruption: null,
    doom:
      steps.problem === null
        ? null
        : { failureReason: `AlgorithmError: ${steps.problem}, exit code: 1`, afterMs: 0 },
    stopRequestedAt: null,
    ended: null,
    settled: null,
  };
  world.record({ type: 'trainingJob.created', at: job.createdAt, job });
  return { TrainingJobArn: arn };
}

/** What AWS's model does not require, and a job with a container of one's own cannot do without. */
function checkRequest(
  world: World,
  input: CreateTrainingJobCommandInput,
): { count: number; problem: string | null } {
  const { AlgorithmSpecification: algorithm, ResourceConfig: resources, StoppingCondition: limits } = input;
  if (!algorithm?.TrainingImage) throw validationError('AlgorithmSpecification.TrainingImage is missing.');
  if (!resources?.InstanceType) throw validationError('ResourceConfig.InstanceType is missing.');
  if (world.prices.trainingInstancePerHour(resources.InstanceType) === null) {
    throw validationError(
      `The sandbox has no price of ${resources.InstanceType}; add a row to prices/aws.json.`,
    );
  }
  if (limits?.MaxWaitTimeInSeconds !== undefined && !input.EnableManagedSpotTraining) {
    throw validationError('MaxWaitTimeInSeconds goes with EnableManagedSpotTraining alone.');
  }
  if (input.EnableManagedSpotTraining) {
    const { MaxRuntimeInSeconds = 86_400, MaxWaitTimeInSeconds = 0 } = limits ?? {};
    if (MaxWaitTimeInSeconds < MaxRuntimeInSeconds) {
      throw validationError(
        'MaxWaitTimeInSeconds must be present and at least MaxRuntimeInSeconds for spot training.',
      );
    }
  }
  const { bucket } = parseS3Uri(input.OutputDataConfig?.S3OutputPath ?? '');
  if (!world.state.buckets.has(bucket)) throw validationError(`The output bucket ${bucket} does not exist.`);
  for (const channel of input.InputDataConfig ?? []) {
    const uri = channel.DataSource?.S3DataSource?.S3Uri ?? '';
    if (objectsBelow(world, uri).size === 0) {
      throw validationError(`No S3 objects found under S3 URL "${uri}" given in input data source.`);
    }
  }
  return simulatedSteps(world, input);
}

/** As the trainer would count them, from the file of the channel `training`. */
function simulatedSteps(
  world: World,
  input: CreateTrainingJobCommandInput,
): { count: number; problem: string | null } {
  const isReal = world.settings.training === 'real';
  const channel = input.InputDataConfig?.find(({ ChannelName }) => ChannelName === 'training');
  const uri = channel?.DataSource?.S3DataSource?.S3Uri ?? '';
  const [file] = objectsBelow(world, uri).values();
  if (isReal || !file) return { count: 1, problem: null };
  const text = readFileSync(world.blobs.path(file.blob), 'utf8');
  const { epochCount = '1', batchSize = '4' } = input.HyperParameters ?? {};
  const records = text.split('\n').filter((line) => line.trim() !== '').length;
  const count = Math.max(1, Math.ceil(records / Number(batchSize)) * Number(epochCount));
  return { count: Number.isFinite(count) ? Math.round(count) : 1, problem: findDataProblem(text, uri) };
}

function checkQuota(world: World): void {
  const limit = world.settings.quotas.trainingJobs;
  const unfinished = [...world.state.trainingJobs.values()].filter((job) => !job.settled).length;
  if (unfinished < limit) return;
  throw new AwsError(
    'ResourceLimitExceeded',
    `The account-level service limit for training jobs is ${limit} Instances, with current utilization of ${unfinished} Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for this quota.`,
  );
}

const hourMs = 3_600_000;

/** An hour unless the settings say otherwise, most of it training. */
function planOf({ settings }: World): TrainingPlan {
  const totalMs = (settings.trainingHours ?? 1) * hourMs;
  return {
    startingMs: Math.round(totalMs * 0.05),
    downloadingMs: Math.round(totalMs * 0.05),
    trainingMs: settings.training === 'real' ? null : Math.round(totalMs * 0.85),
    uploadingMs: Math.round(totalMs * 0.05),
    stopMs: settings.stopMinutes * 60_000,
  };
}

export function stopTrainingJob(world: World, input: StopTrainingJobCommandInput) {
  const job = findJob(world, input.TrainingJobName ?? '');
  const { status } = shownProgress(job, world.now());
  if (status === 'InProgress') {
    world.record({ type: 'trainingJob.stopRequested', at: world.now(), arn: job.arn });
    return {};
  }
  if (status === 'Stopping' || world.settings.readings.stopOfEndedTrainingJob === 'ignored') return {};
  throw validationError(`The request was rejected because the training job is in status ${status}.`);
}

export function describeTrainingJob(world: World, input: { readonly TrainingJobName?: string }) {
  const job = findJob(world, input.TrainingJobName ?? '');
  const progress = shownProgress(job, world.now());
  const { request, settled } = job;
  const { Tags: _, ...asked } = request;
  const { endedAt, machineAt } = progress;
  return {
    ...asked,
    TrainingJobArn: job.arn,
    TrainingJobStatus: progress.status,
    SecondaryStatus: progress.secondary,
    FailureReason: progress.failureReason?.slice(0, 1024) ?? undefined,
    // AWS's model demands it, whether anything lies there or not.
    ModelArtifacts: { S3ModelArtifacts: artifactUri(job) },
    StoppingCondition: request.StoppingCondition ?? {},
    CreationTime: timestamp(job.createdAt),
    TrainingStartTime: machineAt === null ? undefined : timestamp(machineAt),
    TrainingEndTime: endedAt === null ? undefined : timestamp(endedAt),
    LastModifiedTime: timestamp(progress.segments.at(-1)?.startedAt ?? job.createdAt),
    SecondaryStatusTransitions: progress.segments.map(({ status, startedAt, endsAt }) => ({
      Status: status,
      StartTime: timestamp(startedAt),
      EndTime: endsAt <= world.now() ? timestamp(endsAt) : undefined,
      StatusMessage: world.settings.training === 'real' ? '' : 'simulated by the local cloud',
    })),
    FinalMetricDataList: metricsOf(world, job, progress),
    // Neither is ever 0: a job that had no machine has none of them.
    ...(settled &&
      machineAt !== null && {
        TrainingTimeInSeconds: Math.max(1, Math.round(progress.onMachineMs / 1000)),
        BillableTimeInSeconds: Math.max(1, settled.billableSeconds),
      }),
  };
}

function metricsOf(world: World, job: TrainingJobRecord, progress: TrainingJobProgress) {
  const isHidden = progress.endedAt === null && world.settings.readings.metricsWhileTraining === 'at-end';
  if (isHidden || !job.request.AlgorithmSpecification?.MetricDefinitions) return undefined;
  const metrics = job.plan.trainingMs === null ? readMetrics(world, job) : simulatedMetrics(job, progress);
  return Object.entries(metrics).map(([MetricName, Value]) => ({
    MetricName,
    Value,
    Timestamp: timestamp(Math.min(world.now(), progress.endedAt ?? world.now())),
  }));
}

export function listTrainingJobs(world: World, input: ListTrainingJobsCommandInput) {
  const jobs = [...world.state.trainingJobs.values()]
    .map((job) => ({ ...job, progress: shownProgress(job, world.now()) }))
    .filter(({ progress }) => !input.StatusEquals || progress.status === input.StatusEquals);
  const { page, nextToken } = listPage(
    jobs,
    {
      nameContains: input.NameContains,
      after: iso(input.CreationTimeAfter),
      before: iso(input.CreationTimeBefore),
    },
    { maxResults: input.MaxResults ?? 10, nextToken: input.NextToken, sortOrder: input.SortOrder },
  );
  return {
    NextToken: nextToken,
    TrainingJobSummaries: page.map(({ name, arn, createdAt, progress }) => ({
      TrainingJobName: name,
      TrainingJobArn: arn,
      CreationTime: timestamp(createdAt),
      TrainingEndTime: progress.endedAt === null ? undefined : timestamp(progress.endedAt),
      LastModifiedTime: timestamp(progress.segments.at(-1)?.startedAt ?? createdAt),
      TrainingJobStatus: progress.status,
      SecondaryStatus: progress.secondary,
    })),
  };
}

/** Times arrive as seconds since 1970. */
function iso(time: unknown): string | undefined {
  return typeof time === 'number' ? new Date(time * 1000).toISOString() : undefined;
}

function findJob(world: World, name: string): TrainingJobRecord {
  const job = [...world.state.trainingJobs.values()].find((each) => each.name === name);
  if (job) return job;
  throw unknownJobError(world);
}

export function unknownJobError(world: World): AwsError {
  const message = 'Requested resource not found.';
  return world.settings.readings.unknownTrainingJob === 'resource-not-found'
    ? new AwsError('ResourceNotFound', message)
    : validationError(message);
}

/** Seconds since 1970: the form of time in JSON 1.1. */
function timestamp(at: number): number {
  return at / 1000;
}
