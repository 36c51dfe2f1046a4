import type { BillingResource } from '../../domain/deployment.js';
import type { LeasedResource, WorkflowHolder } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { formatUsd } from '../../domain/money.js';
import type { Providers } from '../providers.js';
import { lastMove } from './last-move.js';
import type { Author, Registry } from './registry.js';
import { findStandbys, type Standbys } from './standbys.js';
import { leasesOfVersion, storageUsdPerHour, type VersionLeases } from './version-leases.js';

export interface PromoteInput {
  readonly model: string;
  readonly version: number;
  readonly action: 'promote' | 'rollback';
  readonly by: string;
  readonly notes: string;
  /** The champion's deployment serves the version by now, and becomes its own. */
  readonly inheritsDeployment: boolean;
  readonly author: Author;
}

export interface Promotion extends Standbys {
  readonly champion: number;
  readonly previousChampion: number | null;
}

export type RegistryActivities = ReturnType<typeof createRegistryActivities>;

export interface RegistryDependencies {
  readonly registry: Registry;
  readonly providers: Providers;
  readonly bucket: string;
}

export function createRegistryActivities({ registry, providers, bucket }: RegistryDependencies) {
  const storagePrice = (version: ModelVersion) => storageUsdPerHour(providers, version);

  return {
    async promoteVersion(input: PromoteInput): Promise<Promotion> {
      const { model, version, action, by, notes, inheritsDeployment, author } = input;
      const move = { model, version, action, deployedBy: by, notes, inheritsDeployment };
      const moved = await registry.promote(author, move);
      return { ...moved, ...(await findStandbys(registry, model, moved.previousChampion)) };
    },

    /** What a run that vanished after its promotion has left to be given back; null where it promoted nothing. */
    async standbysLeftBy(
      { workflowId, firstRunId }: WorkflowHolder,
      model: string,
    ): Promise<Standbys | null> {
      const latest = lastMove(await registry.history(model));
      if (latest?.workflowId !== workflowId || latest.runId !== firstRunId) return null;
      return findStandbys(registry, model, latest.previousVersion);
    },

    async retireVersion(
      author: Author,
      retirement: { model: string; version: number; action: 'reject' | 'teardown'; notes: string },
    ): Promise<void> {
      await registry.retire(author, retirement);
    },

    async forgetDeployment(author: Author, model: string, version: number, notes: string): Promise<void> {
      await registry.forgetDeployment(author, model, version, notes);
    },

    /**
     * Follows a resource that was deleted because its holder failed, was cancelled or vanished: a candidate
     * without its model is archived, a version without its deployment forgets it.
     */
    async forgetDeleted(author: Author, { kind, name, model }: LeasedResource, notes: string): Promise<void> {
      for (const { version, modelName, status, deployment } of await registry.versions(model)) {
        if (kind === 'deployment' && deployment?.name === name) {
          await registry.forgetDeployment(author, model, version, notes);
        }
        if (kind === 'training-job' && modelName === name && status === 'candidate') {
          await registry.retire(author, { model, version, action: 'teardown', notes });
        }
      }
    },

    async listVersions(model: string): Promise<ModelVersion[]> {
      return registry.versions(model);
    },

    async leasesOfVersion(version: ModelVersion): Promise<VersionLeases> {
      return leasesOfVersion(providers, bucket, version);
    },

    /** Everything that a model's registered versions keep billing for. */
    async describeBilling(model: string): Promise<BillingResource[]> {
      const live = (await registry.versions(model)).filter(
        ({ status }) => status === 'champion' || status === 'previous' || status === 'candidate',
      );
      return live.flatMap((version) => {
        const owner = version.status === 'previous' ? 'previous champion' : version.status;
        const stored = {
          resource: `model ${version.modelName} (${formatUsd(storagePrice(version) * 730)} a month)`,
          usdPerHour: storagePrice(version),
          owner,
        };
        const { deployment } = version;
        if (!deployment) return [stored];
        return [
          stored,
          { resource: `deployment ${deployment.name}`, usdPerHour: deployment.usdPerHour, owner },
        ];
      });
    },
  };
}
