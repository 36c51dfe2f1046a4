import { deploymentLease, type LeasedResource, trainingJobLease } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { trainingOutputUri } from '../../domain/names.js';
import { choose, type Providers } from '../providers.js';

/** What a registered version keeps alive. */
export interface VersionLeases {
  readonly trainingJob: LeasedResource;
  readonly deployment: LeasedResource | null;
}

export function storageUsdPerHour(providers: Providers, version: ModelVersion): number {
  const provider = choose(providers.training, version.provider, 'training.provider');
  return provider.storageUsdPerHour(version.baseModel);
}

export function leasesOfVersion(providers: Providers, bucket: string, version: ModelVersion): VersionLeases {
  const { deployment, model, jobName } = version;
  return {
    trainingJob: trainingJobLease({
      provider: version.provider,
      jobName,
      model,
      storageUsdPerHour: storageUsdPerHour(providers, version),
      filesUri: trainingOutputUri(bucket, model, jobName),
    }),
    deployment:
      deployment &&
      deploymentLease({
        target: deployment.target,
        name: deployment.name,
        model,
        usdPerHour: deployment.usdPerHour,
      }),
  };
}
