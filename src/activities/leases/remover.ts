import type { LeasedResource } from '../../domain/lease.js';
import { hoursBetween, roundUsd } from '../../domain/money.js';
import { isTerminal } from '../../domain/training-job.js';
import type { ReleaseReport } from '../../workflows/messages.js';
import type { AdmissionQueue } from '../admission/admission-queue.js';
import { currentWorkflow } from '../current-workflow.js';
import type { ObjectStore } from '../dataset/object-store.js';
import { choose, type Providers } from '../providers.js';

/** Thrown while a resource is on its way out, so that Temporal looks again. */
export class StillThereError extends Error {
  override readonly name = 'StillThere';
}

/** Prices and deletes what a lease protects. */
export interface ResourceRemover {
  /** What the resource has cost by the hour so far, by its provider's clock. */
  measure(resource: LeasedResource): Promise<ReleaseReport>;
  /** Idempotent: does what can be done now, throws `StillThereError` until it is gone, then succeeds. */
  remove(resource: LeasedResource): Promise<void>;
}

export function createResourceRemover(
  providers: Providers,
  objects: ObjectStore,
  admission: AdmissionQueue,
): ResourceRemover {
  return {
    async measure(resource) {
      const nothing = { resource: resource.name, billedHours: null, usd: 0 };
      if (resource.kind !== 'deployment' || resource.usdPerHour === 0) return nothing;
      const target = choose(providers.targets, resource.provider, 'lease.provider');
      const deployment = await target.find(resource.name);
      const description = deployment && (await target.describe(deployment));
      if (!description?.createdAt) return nothing;
      const hours = hoursBetween(description.createdAt, description.observedAt);
      return { resource: resource.name, billedHours: hours, usd: roundUsd(hours * resource.usdPerHour) };
    },

    async remove(resource) {
      if (resource.kind === 'model') return;
      // Before the delete: a run that is reset meanwhile must not buy it again.
      await admission.close(currentWorkflow(), resource.name);
      switch (resource.kind) {
        case 'deployment':
          return removeDeployment(providers, resource);
        case 'training-job':
          return removeTrainingJob(providers, objects, resource);
      }
    },
  };
}

async function removeDeployment(providers: Providers, resource: LeasedResource): Promise<void> {
  const target = choose(providers.targets, resource.provider, 'lease.provider');
  if ((await target.find(resource.name)) === null) return;
  await target.delete(resource.name);
  if ((await target.find(resource.name)) !== null)
    throw new StillThereError(`${resource.name} is being deleted`);
}

/** Stops the job if it still runs, then deletes the model it made, then its files. */
async function removeTrainingJob(
  providers: Providers,
  objects: ObjectStore,
  resource: LeasedResource,
): Promise<void> {
  const provider = choose(providers.training, resource.provider, 'lease.provider');
  const job = await provider.find(resource.name);
  if (job !== null && !isTerminal((await provider.describe(job)).status)) {
    await provider.cancel(resource.name);
    throw new StillThereError(`${resource.name} is stopping`);
  }
  await provider.deleteModel(resource.name);
  if (resource.filesUri === null) return;
  for (const uri of await objects.list(resource.filesUri)) await objects.delete(uri);
}
