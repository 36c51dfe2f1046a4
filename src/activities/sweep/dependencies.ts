import type { ObjectInventory, ObjectStore } from '../dataset/object-store.js';
import type { LeaseDependencies } from '../leases/activities.js';
import type { ResourceRemover } from '../leases/remover.js';
import type { Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';
import type { DeploymentUsage } from '../usage/deployment-usage.js';
import type { Inventory } from './inventory.js';

/** What the activities of a sweep work with. */
export interface SweepDependencies extends LeaseDependencies {
  readonly providers: Providers;
  readonly registry: Registry;
  readonly inventory: Inventory;
  readonly usage: DeploymentUsage;
  readonly remover: ResourceRemover;
  readonly objects: ObjectStore & ObjectInventory;
  readonly bucket: string;
  readonly storageUsdPerGigabyteMonth: number;
}

/** Looks at Temporal or the provider at the same time; both are shared with runs. */
export const looksAtOnce = 4;
