import { getClient } from '@temporalio/activity';
import { deploymentLease, describeHolder, type LeasedResource, leaseWorkflowId } from '../../domain/lease.js';
import type { IdleEntry, SweepSpec } from '../../domain/sweep.js';
import { leaseQuery } from '../../workflows/messages.js';
import type { Author } from '../registry/registry.js';
import type { SweepDependencies } from './dependencies.js';

/** What is to be released, or why it stays. */
export type IdleRelease = { readonly resource: LeasedResource } | { readonly keep: string };

/**
 * Looks once more whether a deployment is idle and its version's own, and remembers how to bring it back. The
 * caller holds the model's run lock, so that no run is working with it.
 */
export async function prepareIdleRelease(
  { registry, usage }: SweepDependencies,
  spec: SweepSpec,
  entry: IdleEntry,
  author: Author,
): Promise<IdleRelease> {
  const { model, version: number, deployment: name, target, settings } = entry;
  const version = await registry.version(model, number);
  if (version?.deployment?.name !== name) return { keep: 'serves another version since it was found' };
  const { deploymentId, usdPerHour } = version.deployment;
  const used = (await usage.idleHours([deploymentId])).get(deploymentId);
  if (used && used.hours < (spec.idleHours ?? 0)) return { keep: 'asked again since it was found' };
  const resource = deploymentLease({ target, name, model, usdPerHour });
  const { holder } = await getClient().workflow.getHandle(leaseWorkflowId(resource)).query(leaseQuery);
  if (holder?.kind !== 'model-version') {
    return { keep: `its lease is held by ${holder ? describeHolder(holder) : 'nobody'}` };
  }
  await usage.recordRelease(author, { model, version: number, deploymentName: name, target, settings });
  return { resource };
}
