import type { ModelVersion } from '../../domain/model-version.js';
import type { Registry } from './registry.js';

/** What a promotion leaves to be given back. */
export interface Standbys {
  /** Versions that neither serve nor stand by any more; their models and deployments can go. */
  readonly superseded: readonly ModelVersion[];
  /** The previous champion where its deployment bills by the hour: the model stays, the deployment goes. */
  readonly costlyStandby: ModelVersion | null;
}

export async function findStandbys(
  registry: Registry,
  model: string,
  previousChampion: number | null,
): Promise<Standbys> {
  const previous = (await registry.versions(model)).filter(({ status }) => status === 'previous');
  const standby = previous.find(({ version }) => version === previousChampion);
  return {
    superseded: previous.filter(({ version }) => version !== previousChampion),
    costlyStandby: standby?.deployment && standby.deployment.usdPerHour > 0 ? standby : null,
  };
}
