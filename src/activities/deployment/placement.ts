import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { formatUsd } from '../../domain/money.js';
import type { Placement, Swap } from '../../domain/placement.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { choose, type Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';

/** What `version` could take over from the champion of its model. */
export async function findSwap(
  registry: Registry,
  providers: Providers,
  version: Pick<ModelVersion, 'model' | 'version' | 'baseModel'>,
): Promise<Swap | null> {
  return swapWith(providers, await registry.champion(version.model), version);
}

function swapWith(
  providers: Providers,
  champion: ModelVersion | null,
  version: Pick<ModelVersion, 'version' | 'baseModel'>,
): Swap | null {
  if (!champion?.deployment || champion.version === version.version) return null;
  const target = choose(providers.targets, champion.deployment.target, 'deployment.target');
  if (target.trialTarget === null || champion.baseModel !== version.baseModel) return null;
  const { deployment, model, modelId } = champion;
  return { deployment, champion: { model, version: champion.version, modelId } };
}

/**
 * A candidate for a champion on an hourly deployment of the same kind and price is tried elsewhere and then
 * swapped in; any other is deployed as the run spec says and keeps what it was tried on.
 */
export async function placeCandidate(
  registry: Registry,
  providers: Providers,
  spec: ResolvedRunSpec,
  version: ModelVersion,
): Promise<Placement> {
  const champion = await registry.champion(version.model);
  if (champion?.version === version.version) {
    return { spec, swap: null, serving: champion.deployment, question: null };
  }
  const swap = swapWith(providers, champion, version);
  const { target: wanted } = spec.deployment;
  const isSame =
    swap?.deployment.target === wanted && swap.deployment.usdPerHour === spec.prices.deploymentUsdPerHour;
  if (!swap || !isSame) return { spec, swap: null, serving: null, question: null };
  const trial = trialSpec(providers, spec, version.baseModel);
  if (trial) return { spec: trial, swap, serving: null, question: null };
  const price = formatUsd(spec.prices.deploymentUsdPerHour);
  const question = `approve a second ${wanted} at ${price} an hour, while ${version.model} version ${version.version} is validated: its base model cannot be tried in another way`;
  return { spec, swap, serving: null, question };
}

/** Null where the trial target does not take the model. */
function trialSpec(providers: Providers, spec: ResolvedRunSpec, baseModel: string): ResolvedRunSpec | null {
  const { trialTarget } = choose(providers.targets, spec.deployment.target, 'deployment.target');
  const target = trialTarget === null ? undefined : providers.targets.get(trialTarget);
  if (!target) return null;
  try {
    const { settings, usdPerHour, units, ...prices } = target.resolve({ baseModel, settings: {} });
    return {
      ...spec,
      deployment: { target: target.name, settings },
      prices: {
        ...spec.prices,
        ...prices,
        deploymentUsdPerHour: usdPerHour,
        deploymentUnits: units,
      },
    };
  } catch (error) {
    if (error instanceof PermanentFailure) return null;
    throw error;
  }
}
