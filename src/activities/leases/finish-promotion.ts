import type { LeasedResource, ModelHolder, WorkflowHolder } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import type { Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { findStandbys } from '../registry/standbys.js';
import { leasesOfVersion } from '../registry/version-leases.js';

export interface FinishPromotionDependencies {
  readonly registry: Registry;
  readonly providers: Providers;
  readonly bucket: string;
  readonly release: (resource: LeasedResource, holder: ModelHolder) => Promise<unknown>;
}

/**
 * Gives back what a run left of the versions before last when it vanished after its promotion. Does nothing
 * for a run that did not make the latest one. Idempotent.
 */
export async function finishPromotion(
  { registry, providers, bucket, release }: FinishPromotionDependencies,
  author: Author,
  model: string,
  vanished: WorkflowHolder,
): Promise<void> {
  const moves = (await registry.history(model)).filter(
    ({ action }) => action === 'promote' || action === 'rollback',
  );
  const latest = moves.at(-1);
  if (latest?.workflowId !== vanished.workflowId || latest.runId !== vanished.firstRunId) return;
  const { superseded, costlyStandby } = await findStandbys(registry, model, latest.previousVersion);
  for (const version of superseded) {
    const { deployment, trainingJob } = leasesOfVersion(providers, bucket, version);
    if (deployment) await release(deployment, holderOf(version));
    await release(trainingJob, holderOf(version));
    const retirement = { model, version: version.version, action: 'teardown', notes: 'superseded' } as const;
    await registry.retire(author, retirement);
  }
  if (!costlyStandby) return;
  const { deployment } = leasesOfVersion(providers, bucket, costlyStandby);
  if (deployment) await release(deployment, holderOf(costlyStandby));
  const notes = 'stands by without an hourly deployment';
  await registry.forgetDeployment(author, model, costlyStandby.version, notes);
}

function holderOf({ model, version }: ModelVersion): ModelHolder {
  return { kind: 'model-version', model, version };
}
