import { activityInfo, getClient } from '@temporalio/activity';
import pMap from 'p-map';
import { describeHolder, type LeasedResource, type ModelHolder } from '../../domain/lease.js';
import {
  deployCommand,
  type MissingEntry,
  type SweepEntry,
  type SweepSpec,
  startCommand,
  usdPerMonth,
  type VersionKey,
} from '../../domain/sweep.js';
import { leaseQuery } from '../../workflows/messages.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import { type KeptVersion, keyAfter, versionsInPage } from './inventory.js';
import { deploymentLeaseOf, describeVersion, modelLeaseOf } from './kept-leases.js';
import { isLeased, listOpenLeases, type OpenLease } from './open-workflows.js';

export interface JudgedVersions {
  readonly missing: readonly MissingEntry[];
  readonly next: VersionKey | null;
}

/** Registered versions whose model or deployment is gone in the cloud. */
export async function judgeVersions(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  after: VersionKey | null,
): Promise<JudgedVersions> {
  const versions = await dependencies.inventory.page(after, versionsInPage);
  const judged = await pMap(versions, (version) => findMissing(dependencies, spec, version), {
    concurrency: looksAtOnce,
  });
  return {
    missing: judged.filter((entry) => entry !== null),
    next: keyAfter(versions),
  };
}

/** Null while everything is there, somebody works on the model, or its provider is not known here. */
export async function findMissing(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  version: KeptVersion,
): Promise<MissingEntry | null> {
  if (version.unchangedHours < spec.graceMinutes / 60) return null;
  const isModelGone = !(await exists(dependencies, modelLeaseOf(dependencies, version)));
  const deployment = deploymentLeaseOf(version);
  const isDeploymentGone = deployment !== null && !(await exists(dependencies, deployment));
  if (!isModelGone && !isDeploymentGone) return null;
  if (await isLeased('model', version.model)) return null;
  const { taskQueue } = activityInfo();
  const { model, version: number, recipe, status } = version;
  const common = { model, version: number, action: 'reported' } as const;
  if (!isModelGone && deployment) {
    return {
      ...common,
      kind: 'deployment',
      name: deployment.name,
      reason: `${describeVersion(version)} is registered as served by it; the model is still there`,
      next: deployCommand(taskQueue, version, { target: deployment.provider }),
    };
  }
  const others = status === 'champion' ? await dependencies.inventory.ofModel(model) : [];
  const next = others.some((other) => other.status === 'previous')
    ? startCommand(taskQueue, 'rollback', `rollback/${model}`, { model })
    : startCommand(taskQueue, 'fineTune', `fine-tune/${model}`, { recipe, model });
  return {
    ...common,
    kind: 'model',
    name: version.modelName,
    reason: `${describeVersion(version)} is registered with it${deployment && !isDeploymentGone ? `; deployment ${deployment.name} is still there` : ''}`,
    next,
  };
}

/** True also where nobody can say: a provider that this worker does not know. */
async function exists({ providers }: SweepDependencies, resource: LeasedResource): Promise<boolean> {
  if (resource.kind === 'deployment') {
    const target = providers.targets.get(resource.provider);
    return !target || (await target.find(resource.name)) !== null;
  }
  const provider = providers.training.get(resource.provider);
  return !provider || (await provider.hasModel(resource.name));
}

export interface JudgedLeases {
  readonly kept: readonly SweepEntry[];
  readonly missing: readonly (MissingEntry & { readonly resource: LeasedResource })[];
  readonly next: string | null;
}

/** Leases that versions hold on what is gone, or on what those versions do not need any more. */
export async function judgeLeases(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  page: string | null,
): Promise<JudgedLeases> {
  const { leases, next } = await listOpenLeases(page);
  const past = leases.filter(
    ({ workflowId, ageHours }) =>
      ageHours >= spec.graceMinutes / 60 && !workflowId.startsWith('lease/model/'),
  );
  const judged = await pMap(past, (lease) => judgeLease(dependencies, lease), { concurrency: looksAtOnce });
  return {
    kept: judged.flatMap((each) => (each && 'entry' in each ? [each.entry] : [])),
    missing: judged.flatMap((each) => (each && 'missing' in each ? [each.missing] : [])),
    next,
  };
}

type JudgedLease =
  | { readonly entry: SweepEntry }
  | { readonly missing: MissingEntry & { readonly resource: LeasedResource } };

async function judgeLease(
  dependencies: SweepDependencies,
  { workflowId, ageHours }: OpenLease,
): Promise<JudgedLease | null> {
  const view = await getClient()
    .workflow.getHandle(workflowId)
    .query(leaseQuery)
    .catch(() => null);
  // What a running workflow holds may be about to exist, and its lease watches it.
  if (view?.state !== 'held' || view.holder?.kind !== 'model-version') return null;
  const { resource, holder } = view;
  if (await isLeased('model', resource.model)) return null;
  const next = releaseCommand(workflowId, holder);
  if (!(await exists(dependencies, resource))) {
    const reason = `${describeHolder(holder)} holds a lease on it`;
    const { name, model } = resource;
    const { version } = holder;
    return {
      missing: { kind: 'lease', name, model, version, action: 'reported', reason, next, resource },
    };
  }
  const needing = await dependencies.inventory.keeping([resource.name]);
  const isNeeded = needing.some(({ model, version }) => model === holder.model && version === holder.version);
  if (isNeeded) return null;
  return {
    entry: {
      kind: resource.kind === 'deployment' ? 'deployment' : 'model',
      name: resource.name,
      model: resource.model,
      owner: describeHolder(holder),
      ageHours,
      usdPerMonth: usdPerMonth(resource.usdPerHour),
      action: 'kept',
      reason: `its lease holds it for ${describeHolder(holder)}, which the registry does not keep; to delete it: ${next}`,
    },
  };
}

function releaseCommand(workflowId: string, holder: ModelHolder): string {
  return `temporal workflow update execute --workflow-id ${workflowId} --name release --input '${JSON.stringify(holder)}'`;
}
