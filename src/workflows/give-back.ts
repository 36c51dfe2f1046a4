import type { Promotion } from '../activities/registry/activities.js';
import type { LeasedResource, ModelHolder } from '../domain/lease.js';
import type { ModelVersion } from '../domain/model-version.js';
import { leaseReleases, registry } from './proxies.js';

/** Who gives back: a run, or the lease that settles what a vanished run has left. */
export interface Giver {
  readonly author: { readonly workflowId: string; readonly runId: string };
  /** Gives one resource back through its lease; false when it could not be. */
  release(resource: LeasedResource, holder: ModelHolder, what: string): Promise<boolean>;
}

/** Releases through leases alone; what somebody else holds, or cannot be deleted now, is told to `onKept` and stays. */
export function giverOf(author: Giver['author'], onKept: (name: string) => void = () => {}): Giver {
  return {
    author,
    release: (resource, holder, what) =>
      leaseReleases(what)
        .releaseLease(resource, holder)
        .then(() => true)
        .catch(() => {
          onKept(resource.name);
          return false;
        }),
  };
}

export type Superseded = Pick<Promotion, 'superseded' | 'costlyStandby'>;

/** The previous champion keeps its model for a rollback, but no deployment that bills by the hour. */
export async function giveBackSuperseded(
  giver: Giver,
  { superseded, costlyStandby }: Superseded,
): Promise<void> {
  for (const version of superseded) await tearDownVersion(giver, version, 'superseded');
  if (costlyStandby) await releaseDeployment(giver, costlyStandby, 'stands by without an hourly deployment');
}

/** Deployment → model → files, then the registry; what could not be deleted stays registered. */
export async function tearDownVersion(giver: Giver, version: ModelVersion, notes: string): Promise<void> {
  const { deployment, trainingJob } = await registry('What does the version keep?').leasesOfVersion(version);
  const holder = holderOf(version);
  const isUndeployed =
    !deployment || (await giver.release(deployment, holder, `delete deployment ${deployment.name}`));
  const isDeleted = await giver.release(
    trainingJob,
    holder,
    `delete model ${version.modelName} and its files`,
  );
  if (!isUndeployed || !isDeleted) return;
  await registry(`Archive version ${version.version}`).retireVersion(giver.author, {
    model: version.model,
    version: version.version,
    action: 'teardown',
    notes,
  });
}

async function releaseDeployment(giver: Giver, version: ModelVersion, notes: string): Promise<void> {
  const { deployment } = await registry('What does the version keep?').leasesOfVersion(version);
  if (!deployment) return;
  const isGone = await giver.release(deployment, holderOf(version), `delete deployment ${deployment.name}`);
  if (!isGone) return;
  const forget = registry(`Version ${version.version} ${notes}`);
  await forget.forgetDeployment(giver.author, version.model, version.version, notes);
}

function holderOf({ model, version }: ModelVersion): ModelHolder {
  return { kind: 'model-version', model, version };
}
