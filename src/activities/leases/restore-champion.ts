import { deploymentLease, type LeasedResource, type ModelHolder } from '../../domain/lease.js';
import { choose, type Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';

/** Thrown while the champion's deployment is on its way back, so that Temporal looks again. */
class StillUpdatingError extends Error {
  override readonly name = 'StillUpdating';
}

/**
 * Points the champion's deployment back at the champion's model where a run that vanished in the middle of a
 * swap left it on another. Null where there is nothing that can be swapped. Idempotent; throws until it serves.
 */
export async function restoreChampion(
  { registry, providers }: { readonly registry: Registry; readonly providers: Providers },
  model: string,
): Promise<{ readonly champion: ModelHolder; readonly lease: LeasedResource } | null> {
  const champion = await registry.champion(model);
  if (!champion?.deployment) return null;
  const { deployment, modelId, version } = champion;
  const target = choose(providers.targets, deployment.target, 'deployment.target');
  if (target.trialTarget === null) return null;
  const description = await target.describe(deployment);
  if (description === null) return null;
  if (description.status === 'updating' || description.status === 'creating') {
    throw new StillUpdatingError(`${deployment.name} is ${description.rawStatus}`);
  }
  if (description.modelId !== modelId) {
    await target.update(deployment, modelId);
    throw new StillUpdatingError(
      `${deployment.name} is being pointed back at version ${version} of ${model}`,
    );
  }
  const { name, usdPerHour } = deployment;
  return {
    champion: { kind: 'model-version', model, version },
    lease: deploymentLease({ target: target.name, name, model, usdPerHour }),
  };
}
