import { rmSync } from 'node:fs';
import type {
  DeleteCustomModelCommandInput,
  GetCustomModelCommandInput,
  ListCustomModelsCommandInput,
} from '@aws-sdk/client-bedrock';
import { conflictError, notFoundError, validationError } from '../api/error.js';
import { servedModelArn } from '../state.js';
import type { World } from '../world.js';
import { foundationModelArn } from './base-models.js';
import { assertSeen } from './identity.js';
import { jobFiles } from './job-files.js';
import { jobProgress } from './job-progress.js';
import { timestamp } from './jobs.js';
import { listPage } from './listing.js';
import type { DeploymentRecord, JobRecord, ModelRecord, ThroughputRecord } from './records.js';

export function getCustomModel(world: World, input: GetCustomModelCommandInput) {
  const identifier = input.modelIdentifier ?? '';
  const model = findModel(world, identifier);
  assertSeen(world, model.createdAt, `There is no custom model ${identifier}.`);
  const job = jobOf(world, model);
  const last = job.trained?.metrics.at(-1);
  return {
    modelArn: model.arn,
    modelName: model.name,
    jobName: job.jobName,
    jobArn: job.arn,
    baseModelArn: foundationModelArn(job.region, job.baseModel),
    customizationType: job.customizationType ?? undefined,
    hyperParameters: job.hyperParameters,
    trainingDataConfig: { s3Uri: job.trainingUri },
    validationDataConfig: job.validationUri ? { validators: [{ s3Uri: job.validationUri }] } : undefined,
    outputDataConfig: { s3Uri: job.outputUri },
    trainingMetrics: last && { trainingLoss: last.trainingLoss },
    validationMetrics:
      last && typeof last.validationLoss === 'number' ? [{ validationLoss: last.validationLoss }] : undefined,
    creationTime: timestamp(model.createdAt),
    modelStatus: statusOf(world, model),
  };
}

export function listCustomModels(world: World, input: ListCustomModelsCommandInput) {
  const models = liveModels(world).filter((model) => {
    const baseArn = foundationModelArn(jobOf(world, model).region, model.baseModel);
    return (
      [undefined, baseArn].includes(input.baseModelArnEquals) &&
      [undefined, baseArn].includes(input.foundationModelArnEquals) &&
      (input.modelStatus === undefined || input.modelStatus === statusOf(world, model)) &&
      input.isOwned !== false
    );
  });
  const filter = {
    nameContains: input.nameContains,
    after: input.creationTimeAfter,
    before: input.creationTimeBefore,
  };
  const { page, nextToken } = listPage(models, filter, input);
  return { nextToken, modelSummaries: page.map((model) => summaryOf(world, model)) };
}

function summaryOf(world: World, model: ModelRecord) {
  return {
    modelArn: model.arn,
    modelName: model.name,
    creationTime: timestamp(model.createdAt),
    baseModelArn: foundationModelArn(jobOf(world, model).region, model.baseModel),
    // The shape of this name admits no colon.
    baseModelName: model.baseModel.split(':')[0],
    customizationType: 'FINE_TUNING',
    ownerAccountId: world.settings.accountId,
    modelStatus: statusOf(world, model),
  };
}

export function deleteCustomModel(world: World, input: DeleteCustomModelCommandInput) {
  const model = findModel(world, input.modelIdentifier ?? '');
  if (statusOf(world, model) === 'Creating') {
    throw conflictError(`The model ${model.name} is still being made by its job.`);
  }
  const user = findUser(world, model);
  if (user) {
    const message = `The model ${model.name} is in use by ${user.arn}; delete that first.`;
    const { deleteOfServedModel } = world.settings.readings;
    throw deleteOfServedModel === 'conflict' ? conflictError(message) : validationError(message);
  }
  world.record({ type: 'model.deleted', at: world.now(), arn: model.arn });
  rmSync(jobFiles(world, jobOf(world, model)).model, { force: true });
  return {};
}

/** What serves a model now, or is about to. */
function findUser(world: World, model: ModelRecord): DeploymentRecord | ThroughputRecord | null {
  const { deployments, throughputs } = world.state;
  for (const served of [...deployments.values(), ...throughputs.values()]) {
    if (served.deletedAt !== null) continue;
    if (servedModelArn(served, world.now()) === model.arn) return served;
    if (served.change && served.change.modelArn === model.arn) return served;
  }
  return null;
}

export function findModel(world: World, identifier: string): ModelRecord {
  for (const model of liveModels(world)) {
    if (model.arn === identifier || model.name === identifier) return model;
  }
  throw notFoundError(`There is no custom model ${identifier}.`);
}

/** A custom model that may be served; one whose job is unfinished is a ValidationException. */
export function findServableModel(world: World, identifier: string): ModelRecord {
  for (const job of world.state.jobs.values()) {
    if (job.modelArn === identifier && !job.settled) {
      throw validationError(
        `The model ${identifier} is not Active; its job ${job.jobName} has not finished.`,
      );
    }
  }
  return findModel(world, identifier);
}

export function jobOf(world: World, model: ModelRecord): JobRecord {
  const job = world.state.jobs.get(model.jobArn);
  if (!job) throw new Error(`The journal has no job for the model ${model.arn}.`);
  return job;
}

/** What Get and List show: finished models, sooner or later as the readings have it; see assumption 11. */
function liveModels(world: World): ModelRecord[] {
  const { modelAppears, modelLagMinutes } = world.settings.readings;
  const lagMs = modelAppears === 'after-completion' ? modelLagMinutes * 60_000 : 0;
  const live = [...world.state.models.values()].filter(
    (model) => model.deletedAt === null && world.now() >= model.createdAt + lagMs,
  );
  return [...live, ...modelsInTraining(world)];
}

/** Models that are seen although their jobs have not finished. */
function modelsInTraining(world: World): ModelRecord[] {
  if (world.settings.readings.modelAppears !== 'while-training') return [];
  return [...world.state.jobs.values()].flatMap((job) => {
    const { startedAt } = jobProgress(job, world.now()).training;
    if (job.settled || startedAt === null) return [];
    const { modelArn: arn, modelName: name, arn: jobArn, baseModel, modelTags: tags } = job;
    return [{ arn, name, jobArn, baseModel, digest: '', tags, createdAt: startedAt, deletedAt: null }];
  });
}

export function findModelInTraining(world: World, arn: string): ModelRecord | null {
  return modelsInTraining(world).find((model) => model.arn === arn) ?? null;
}

function statusOf(world: World, model: ModelRecord): 'Active' | 'Creating' {
  return jobOf(world, model).settled ? 'Active' : 'Creating';
}
