import type { SandboxResource, SandboxState } from './admin.js';
import { progressOf } from './bedrock/jobs.js';
import { throughputStatus } from './bedrock/provisioned-throughput.js';
import type { Tags } from './bedrock/records.js';
import { billedHours, createdPrice, hoursBetween, type ResourceKind } from './ledger.js';
import { shownProgress } from './sagemaker/progress.js';
import { servedModelArn } from './state.js';
import { byteMsUntil } from './storage/state.js';
import type { World } from './world.js';

/** Everything that exists or has existed, what it costs, and what it has cost. */
export function describeState(world: World, hasFailed: (arn: string) => boolean): SandboxState {
  const resources = [
    ...jobResources(world),
    ...trainingJobResources(world),
    ...modelResources(world),
    ...deploymentResources(world, hasFailed),
    ...throughputResources(world, hasFailed),
    ...bucketResources(world),
  ];
  const created = new Set(resources.map((resource) => resource.resource));
  const baseModels = [...world.state.usage]
    .filter(([resource]) => !created.has(resource))
    .map(([modelId, usage]) => ({ modelId, ...usage }));
  return {
    simulated: true,
    note: 'A local cloud: nothing here costs real money. Prices are those of prices/aws.json.',
    accountId: world.settings.accountId,
    time: iso(world.now()),
    clockScale: world.clock.scale,
    resources,
    baseModels,
    usdPerHour: sum(resources.map((resource) => resource.usdPerHour)),
    usd: sum([...resources, ...baseModels].map((each) => each.usd)),
  };
}

function jobResources(world: World): SandboxResource[] {
  return [...world.state.jobs.values()].map((job) => {
    const progress = progressOf(world, job);
    const settled = world.state.ledger.findLast((entry) => entry.resource === job.arn && entry.usd !== null);
    return {
      kind: 'trainingJob',
      name: job.jobName,
      resource: job.arn,
      status: progress.status,
      isLive: progress.endedAt === null,
      createdAt: iso(job.createdAt),
      endedAt: progress.endedAt === null ? null : iso(progress.endedAt),
      baseModel: job.baseModel,
      modelArn: job.modelArn,
      tags: job.tags,
      usdPerHour: 0,
      hoursBilled: 0,
      usd: settled?.usd ?? 0,
      requests: 0,
    };
  });
}

function trainingJobResources(world: World): SandboxResource[] {
  return [...world.state.trainingJobs.values()].map((job) => {
    const { status, endedAt, machineAt } = shownProgress(job, world.now());
    const settled = world.state.ledger.findLast((entry) => entry.resource === job.arn && entry.usd !== null);
    const price = world.prices.trainingInstancePerHour(job.request.ResourceConfig?.InstanceType ?? '') ?? 0;
    return {
      kind: 'trainingJob',
      name: job.name,
      resource: job.arn,
      status,
      isLive: endedAt === null,
      createdAt: iso(job.createdAt),
      endedAt: endedAt === null ? null : iso(endedAt),
      baseModel: null,
      modelArn: null,
      tags: job.tags,
      usdPerHour: endedAt === null && machineAt !== null ? price : 0,
      hoursBilled: settled?.hoursBilled ?? 0,
      usd: settled?.usd ?? 0,
      requests: 0,
    };
  });
}

function modelResources(world: World): SandboxResource[] {
  return [...world.state.models.values()].map((model) =>
    hourly(world, 'customModel', model, {
      status: model.deletedAt === null ? 'Active' : 'Deleted',
      baseModel: model.baseModel,
      modelArn: model.arn,
    }),
  );
}

function deploymentResources(world: World, hasFailed: (arn: string) => boolean): SandboxResource[] {
  const now = world.now();
  return [...world.state.deployments.values()].map((deployment) => {
    const modelArn = servedModelArn(deployment, now);
    const ready = now < deployment.readyAt ? 'Creating' : 'Active';
    const living = hasFailed(deployment.arn) ? 'Failed' : ready;
    return hourly(world, 'deployment', deployment, {
      status: deployment.deletedAt === null ? living : 'Deleted',
      baseModel: world.state.models.get(modelArn)?.baseModel ?? null,
      modelArn,
    });
  });
}

function throughputResources(world: World, hasFailed: (arn: string) => boolean): SandboxResource[] {
  const now = world.now();
  return [...world.state.throughputs.values()].map((throughput) => {
    const living = hasFailed(throughput.arn) ? 'Failed' : throughputStatus(throughput, now);
    return hourly(world, 'provisionedThroughput', throughput, {
      status: throughput.deletedAt === null ? living : 'Deleted',
      baseModel: throughput.baseModel,
      modelArn: servedModelArn(throughput, now),
    });
  });
}

interface Hourly {
  readonly arn: string;
  readonly name: string;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly readyAt?: number;
  readonly deletedAt: number | null;
}

function hourly(
  world: World,
  kind: ResourceKind,
  record: Hourly,
  seen: Pick<SandboxResource, 'status' | 'baseModel' | 'modelArn'>,
): SandboxResource {
  const price = createdPrice(world.state, record.arn);
  const hoursBilled = billedHours(world.state, record, record.deletedAt ?? world.now());
  const usage = world.state.usage.get(record.arn);
  return {
    kind,
    name: record.name,
    resource: record.arn,
    ...seen,
    isLive: record.deletedAt === null,
    createdAt: iso(record.createdAt),
    endedAt: record.deletedAt === null ? null : iso(record.deletedAt),
    tags: record.tags,
    usdPerHour: record.deletedAt === null ? price : 0,
    hoursBilled,
    usd: hoursBilled * price + (usage?.usd ?? 0),
    requests: usage?.requests ?? 0,
  };
}

function bucketResources(world: World): SandboxResource[] {
  const price = world.prices.objectStoragePerByteHour();
  return [...world.state.buckets.values()].map((bucket) => ({
    kind: 'bucket',
    name: bucket.name,
    resource: bucket.name,
    status: `${bucket.objects.size} objects, ${bucket.bytes} bytes`,
    isLive: true,
    createdAt: iso(bucket.createdAt),
    endedAt: null,
    baseModel: null,
    modelArn: null,
    tags: {},
    usdPerHour: bucket.bytes * price,
    hoursBilled: hoursBetween(bucket.createdAt, world.now()),
    usd: (byteMsUntil(bucket, world.now()) / 3_600_000) * price,
    requests: 0,
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
