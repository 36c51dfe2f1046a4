import { deploymentLease, type LeasedResource, trainingJobLease } from '../../domain/lease.js';
import { trainingOutputUri } from '../../domain/names.js';
import type { SweepDependencies } from './dependencies.js';
import type { KeptVersion } from './inventory.js';

/** The lease on a version's trained model. */
export function modelLeaseOf(
  { providers, bucket }: Pick<SweepDependencies, 'providers' | 'bucket'>,
  version: KeptVersion,
): LeasedResource {
  const provider = providers.training.get(version.provider);
  return trainingJobLease({
    provider: version.provider,
    jobName: version.jobName,
    model: version.model,
    storageUsdPerHour: provider?.storageUsdPerHour(version.baseModel) ?? 0,
    filesUri: trainingOutputUri(bucket, version.model, version.jobName),
  });
}

/** The lease on a version's deployment; null where it has none. */
export function deploymentLeaseOf({ model, deployment }: KeptVersion): LeasedResource | null {
  if (!deployment) return null;
  const { target, name, usdPerHour } = deployment;
  return deploymentLease({ target, name, model, usdPerHour });
}

export function describeVersion({ model, version, status }: KeptVersion): string {
  return `${status} ${model} version ${version}`;
}
