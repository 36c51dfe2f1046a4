import type {
  CreateCustomModelDeploymentCommandInput,
  DeleteCustomModelDeploymentCommandInput,
  GetCustomModelDeploymentCommandInput,
  ListCustomModelDeploymentsCommandInput,
  UpdateCustomModelDeploymentCommandInput,
} from '@aws-sdk/client-bedrock';
import { notFoundError, validationError } from '../api/error.js';
import { servedModelArn } from '../state.js';
import type { World } from '../world.js';
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
import type { DeploymentRecord } from './records.js';
import { toTags } from './tags.js';

export function createCustomModelDeployment(
  world: World,
  input: CreateCustomModelDeploymentCommandInput,
  region: string,
) {
  const fingerprint = fingerprintOf(input);
  const { deployments } = world.state;
  const known = findByToken(world, deployments.values(), input.clientRequestToken, fingerprint);
  if (known) return { customModelDeploymentArn: known.arn };
  const name = input.modelDeploymentName ?? '';
  const model = findServableModel(world, input.modelArn ?? '');
  checkName(world, name);
  checkQuota(world);
  const createdAt = world.now();
  const id = newIdentifier('deployment', name, deployments.size);
  const deployment: DeploymentRecord = {
    arn: `arn:aws:bedrock:${region}:${world.settings.accountId}:custom-model-deployment/${id}`,
    name,
    modelArn: model.arn,
    description: input.description ?? null,
    token: input.clientRequestToken ?? null,
    fingerprint,
    tags: toTags(input.tags, name),
    createdAt,
    readyAt: createdAt + world.settings.deploymentMinutes * 60_000,
    change: null,
    deletedAt: null,
    goneAt: null,
  };
  const usdPerHour = world.prices.deploymentPerHour(model.baseModel);
  world.record({ type: 'deployment.created', at: createdAt, deployment, usdPerHour });
  return { customModelDeploymentArn: deployment.arn };
}

function checkName(world: World, name: string): void {
  const other = visibleDeployments(world).find((deployment) => deployment.name === name);
  if (other) throw takenNameError(world, `The deployment name ${name} is in use by ${other.arn}.`);
}

function checkQuota(world: World): void {
  const limit = world.settings.quotas.deploymentsInProgress;
  const creating = visibleDeployments(world).filter(
    (deployment) => statusOf(world, deployment) === 'Creating',
  );
  if (creating.length >= limit) {
    throw quotaError(
      world,
      `There are ${creating.length} custom model deployments in progress; the quota allows ${limit}.`,
    );
  }
}

export function getCustomModelDeployment(world: World, input: GetCustomModelDeploymentCommandInput) {
  const identifier = input.customModelDeploymentIdentifier ?? '';
  const deployment = findDeployment(world, identifier);
  assertSeen(world, deployment.createdAt, `There is no custom model deployment ${identifier}.`);
  const now = world.now();
  const { change } = deployment;
  return {
    customModelDeploymentArn: deployment.arn,
    modelDeploymentName: deployment.name,
    modelArn: servedModelArn(deployment, now),
    createdAt: timestamp(deployment.createdAt),
    status: statusOf(world, deployment),
    description: deployment.description ?? undefined,
    updateDetails: change
      ? { modelArn: change.modelArn, updateStatus: now < change.doneAt ? 'Updating' : 'UpdateCompleted' }
      : undefined,
    lastUpdatedAt: timestamp(lastChange(deployment, now)),
  };
}

export function listCustomModelDeployments(world: World, input: ListCustomModelDeploymentsCommandInput) {
  const now = world.now();
  const deployments = visibleDeployments(world).filter(
    (deployment) =>
      (input.statusEquals === undefined || input.statusEquals === statusOf(world, deployment)) &&
      [undefined, servedModelArn(deployment, now)].includes(input.modelArnEquals),
  );
  const filter = { nameContains: input.nameContains, after: input.createdAfter, before: input.createdBefore };
  const { page, nextToken } = listPage(deployments, filter, input);
  return {
    nextToken,
    modelDeploymentSummaries: page.map((deployment) => ({
      customModelDeploymentArn: deployment.arn,
      customModelDeploymentName: deployment.name,
      modelArn: servedModelArn(deployment, now),
      createdAt: timestamp(deployment.createdAt),
      status: statusOf(world, deployment),
      lastUpdatedAt: timestamp(lastChange(deployment, now)),
    })),
  };
}

export function updateCustomModelDeployment(world: World, input: UpdateCustomModelDeploymentCommandInput) {
  const deployment = findDeployment(world, input.customModelDeploymentIdentifier ?? '');
  const startedAt = world.now();
  const model = findServableModel(world, input.modelArn ?? '');
  const current = world.state.models.get(servedModelArn(deployment, startedAt));
  if (current && current.baseModel !== model.baseModel) {
    throw validationError(
      `The model ${model.arn} has another base than ${current.arn}; a deployment is updated within one base.`,
    );
  }
  assertUpdatable(world, deployment);
  const doneAt = Math.max(startedAt, deployment.readyAt) + world.settings.updateMinutes * 60_000;
  const change = { modelArn: model.arn, startedAt, doneAt };
  world.record({ type: 'deployment.updated', at: startedAt, arn: deployment.arn, change });
  return { customModelDeploymentArn: deployment.arn };
}

export function deleteCustomModelDeployment(world: World, input: DeleteCustomModelDeploymentCommandInput) {
  const deployment = findDeployment(world, input.customModelDeploymentIdentifier ?? '');
  assertDeletable(world, deployment);
  const at = world.now();
  const goneAt = at + world.settings.deletionMinutes * 60_000;
  world.record({ type: 'deployment.deleted', at, arn: deployment.arn, goneAt });
  return {};
}

function statusOf(world: World, deployment: DeploymentRecord): 'Creating' | 'Active' {
  return world.now() < deployment.readyAt ? 'Creating' : 'Active';
}

function lastChange(deployment: DeploymentRecord, now: number): number {
  const moments = [deployment.createdAt, deployment.readyAt];
  if (deployment.change) moments.push(deployment.change.startedAt, deployment.change.doneAt);
  return Math.max(...moments.filter((moment) => moment <= now));
}

export function findDeployment(world: World, identifier: string): DeploymentRecord {
  for (const deployment of visibleDeployments(world)) {
    if (deployment.arn === identifier || deployment.name === identifier) return deployment;
  }
  throw notFoundError(`There is no custom model deployment ${identifier}.`);
}

function visibleDeployments(world: World): DeploymentRecord[] {
  const now = world.now();
  return [...world.state.deployments.values()].filter(
    (deployment) => deployment.goneAt === null || now < deployment.goneAt,
  );
}
