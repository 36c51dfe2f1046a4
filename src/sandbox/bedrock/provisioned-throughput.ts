import type {
  CreateProvisionedModelThroughputCommandInput,
  DeleteProvisionedModelThroughputCommandInput,
  GetProvisionedModelThroughputCommandInput,
  ListProvisionedModelThroughputsCommandInput,
  UpdateProvisionedModelThroughputCommandInput,
} from '@aws-sdk/client-bedrock';
import { conflictError, notFoundError, validationError } from '../api/error.js';
import { isVisible, servedModelArn } from '../state.js';
import type { World } from '../world.js';
import { findBaseModel, foundationModelArn } from './base-models.js';
import { findServableModel } from './custom-models.js';
import {
  assertDeletable,
  assertSeen,
  assertUpdatable,
  findByToken,
  fingerprintOf,
  newIdentifier,
  quotaError,
  takenNameError,
} from './identity.js';
import { timestamp } from './jobs.js';
import { listPage } from './listing.js';
import type { ThroughputRecord } from './records.js';
import { toTags } from './tags.js';

const commitmentMonths = { OneMonth: 1, SixMonths: 6 } as const;

export function createProvisionedModelThroughput(
  world: World,
  input: CreateProvisionedModelThroughputCommandInput,
  region: string,
) {
  const fingerprint = fingerprintOf(input);
  const { throughputs } = world.state;
  const known = findByToken(world, throughputs.values(), input.clientRequestToken, fingerprint);
  if (known) return { provisionedModelArn: known.arn };
  const name = input.provisionedModelName ?? '';
  const target = targetModel(world, input.modelId ?? '', region);
  const commitment = input.commitmentDuration ?? null;
  const modelUnits = input.modelUnits ?? 0;
  checkName(world, name);
  checkQuota(world, modelUnits, commitment !== null, target.baseModel);
  const createdAt = world.now();
  const id = newIdentifier('throughput', name, throughputs.size);
  const throughput: ThroughputRecord = {
    arn: `arn:aws:bedrock:${region}:${world.settings.accountId}:provisioned-model/${id}`,
    name,
    ...target,
    modelUnits,
    commitment,
    commitmentEndsAt: commitment && monthsLater(createdAt, commitmentMonths[commitment]),
    token: input.clientRequestToken ?? null,
    fingerprint,
    tags: toTags(input.tags, name),
    createdAt,
    readyAt: createdAt + world.settings.throughputMinutes * 60_000,
    modifiedAt: createdAt,
    change: null,
    deletedAt: null,
    goneAt: null,
  };
  const usdPerHour = modelUnits * world.prices.modelUnitPerHour(target.baseModel, commitment);
  world.record({ type: 'throughput.created', at: createdAt, throughput, usdPerHour });
  return { provisionedModelArn: throughput.arn };
}

function targetModel(world: World, identifier: string, region: string) {
  const base = findBaseModel(identifier);
  if (base) return { modelArn: foundationModelArn(region, base.model.id), baseModel: base.model.id };
  const model = findServableModel(world, identifier);
  return { modelArn: model.arn, baseModel: model.baseModel };
}

function checkName(world: World, name: string): void {
  const other = visibleThroughputs(world).find((throughput) => throughput.name === name);
  if (other) throw takenNameError(world, `The provisioned model name ${name} is in use by ${other.arn}.`);
}

function checkQuota(world: World, modelUnits: number, isCommitted: boolean, model: string): void {
  const { quotas } = world.settings;
  const limit = isCommitted ? quotas.modelUnitsWithCommitment : quotas.modelUnitsWithoutCommitment;
  const used = liveThroughputs(world)
    .filter((throughput) => (throughput.commitment !== null) === isCommitted)
    .reduce((sum, throughput) => sum + throughput.modelUnits, 0);
  if (used + modelUnits <= limit) return;
  const kind = isCommitted ? 'commitment' : 'no commitment';
  throw quotaError(
    world,
    limit === 0
      ? `Your account does not currently have any ${kind} model units reserved for ${model}.`
      : `${modelUnits} more ${kind} model units beside ${used} would exceed the quota of ${limit}.`,
  );
}

export function getProvisionedModelThroughput(
  world: World,
  input: GetProvisionedModelThroughputCommandInput,
) {
  const identifier = input.provisionedModelId ?? '';
  const throughput = findThroughput(world, identifier);
  assertSeen(world, throughput.createdAt, `There is no provisioned throughput ${identifier}.`);
  return describe(world, throughput);
}

export function listProvisionedModelThroughputs(
  world: World,
  input: ListProvisionedModelThroughputsCommandInput,
) {
  const throughputs = visibleThroughputs(world).filter(
    (throughput) =>
      [undefined, throughputStatus(throughput, world.now())].includes(input.statusEquals) &&
      [undefined, servedModelArn(throughput, world.now())].includes(input.modelArnEquals),
  );
  const filter = {
    nameContains: input.nameContains,
    after: input.creationTimeAfter,
    before: input.creationTimeBefore,
  };
  const { page, nextToken } = listPage(throughputs, filter, input);
  return { nextToken, provisionedModelSummaries: page.map((each) => describe(world, each)) };
}

function describe(world: World, throughput: ThroughputRecord) {
  const now = world.now();
  const { modelUnits, commitment, commitmentEndsAt, change } = throughput;
  const region = throughput.arn.split(':')[3] ?? '';
  const moments = [throughput.modifiedAt, throughput.readyAt, change?.doneAt ?? 0];
  return {
    modelUnits,
    desiredModelUnits: modelUnits,
    provisionedModelName: throughput.name,
    provisionedModelArn: throughput.arn,
    modelArn: servedModelArn(throughput, now),
    desiredModelArn: change?.modelArn ?? throughput.modelArn,
    foundationModelArn: foundationModelArn(region, throughput.baseModel),
    status: throughputStatus(throughput, now),
    creationTime: timestamp(throughput.createdAt),
    lastModifiedTime: timestamp(Math.max(...moments.filter((moment) => moment <= now))),
    commitmentDuration: commitment ?? undefined,
    commitmentExpirationTime: commitmentEndsAt === null ? undefined : timestamp(commitmentEndsAt),
  };
}

export function updateProvisionedModelThroughput(
  world: World,
  input: UpdateProvisionedModelThroughputCommandInput,
) {
  const throughput = findThroughput(world, input.provisionedModelId ?? '');
  const at = world.now();
  if (throughput.deletedAt !== null) throw validationError(`${throughput.name} is being deleted.`);
  assertUpdatable(world, throughput);
  const name = input.desiredProvisionedModelName ?? null;
  if (name && name !== throughput.name) checkName(world, name);
  const modelArn = input.desiredModelId ? desiredModelArn(world, throughput, input.desiredModelId) : null;
  const doneAt = Math.max(at, throughput.readyAt) + world.settings.updateMinutes * 60_000;
  const change = modelArn ? { modelArn, startedAt: at, doneAt } : null;
  world.record({ type: 'throughput.updated', at, arn: throughput.arn, name, change });
  return {};
}

function desiredModelArn(world: World, throughput: ThroughputRecord, modelId: string): string {
  const region = throughput.arn.split(':')[3] ?? '';
  if (!servedModelArn(throughput, world.now()).includes(':custom-model/')) {
    throw validationError(
      `${throughput.name} serves a base model; only one on a custom model can be updated.`,
    );
  }
  const target = targetModel(world, modelId, region);
  if (target.baseModel !== throughput.baseModel) {
    throw validationError(
      `The model ${modelId} is based on ${target.baseModel}; ${throughput.name} can only take models based on ${throughput.baseModel}.`,
    );
  }
  return target.modelArn;
}

export function deleteProvisionedModelThroughput(
  world: World,
  input: DeleteProvisionedModelThroughputCommandInput,
) {
  const throughput = findThroughput(world, input.provisionedModelId ?? '');
  assertDeletable(world, throughput);
  const at = world.now();
  if (throughput.commitmentEndsAt !== null && at < throughput.commitmentEndsAt) {
    throw conflictError(
      `${throughput.name} is committed until ${timestamp(throughput.commitmentEndsAt)} and cannot be deleted before.`,
    );
  }
  const goneAt = at + world.settings.deletionMinutes * 60_000;
  world.record({ type: 'throughput.deleted', at, arn: throughput.arn, goneAt });
  return {};
}

export function throughputStatus(throughput: ThroughputRecord, now: number) {
  if (now < throughput.readyAt) return 'Creating';
  return throughput.change && now < throughput.change.doneAt ? 'Updating' : 'InService';
}

export function findThroughput(world: World, identifier: string): ThroughputRecord {
  const isFoundByName = world.settings.readings.throughputByName === 'found';
  for (const throughput of visibleThroughputs(world)) {
    const { arn, name } = throughput;
    if (arn === identifier || arn.endsWith(`/${identifier}`)) return throughput;
    if (isFoundByName && name === identifier) return throughput;
  }
  throw notFoundError(`There is no provisioned throughput ${identifier}.`);
}

function liveThroughputs(world: World): ThroughputRecord[] {
  return [...world.state.throughputs.values()].filter((throughput) => throughput.deletedAt === null);
}

/** Also what is being deleted; see assumption 13. */
function visibleThroughputs(world: World): ThroughputRecord[] {
  const now = world.now();
  return [...world.state.throughputs.values()].filter((throughput) => isVisible(throughput, now));
}

function monthsLater(at: number, months: number): number {
  const date = new Date(at);
  date.setUTCMonth(date.getUTCMonth() + months);
  return date.getTime();
}
