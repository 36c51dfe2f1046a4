import type { LeasedResource, ModelHolder } from '../../domain/lease.js';
import type { MissingEntry, SweepSpec } from '../../domain/sweep.js';
import { releaseToTheEnd } from '../leases/lease-workflow.js';
import type { Author } from '../registry/registry.js';
import type { SweepDependencies } from './dependencies.js';
import { findMissing } from './judge-books.js';
import { deploymentLeaseOf, modelLeaseOf } from './kept-leases.js';

/**
 * Brings the registry to what exists in the cloud, and releases the leases on what does not. Looks again first:
 * what is back, or has changed, is left as it is. Safe to repeat.
 */
export async function correctVersion(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  entry: MissingEntry,
  author: Author,
): Promise<MissingEntry> {
  const { model, version: number } = entry;
  const version = (await dependencies.inventory.ofModel(model)).find((each) => each.version === number);
  const again = version && (await findMissing(dependencies, spec, version));
  if (!version || again?.kind !== entry.kind || again.name !== entry.name) {
    return { ...entry, action: 'kept', reason: 'changed since it was found' };
  }
  const { registry, providers, remover } = dependencies;
  const holder: ModelHolder = { kind: 'model-version', model, version: number };
  const deployment = deploymentLeaseOf(version);
  const notes = `gone in the cloud: ${entry.kind} ${entry.name}`;
  if (entry.kind === 'deployment') {
    if (deployment) await releaseToTheEnd(remover, deployment, holder);
    await registry.forgetDeployment(author, model, number, notes);
    return { ...entry, action: 'corrected', reason: `${entry.reason}; the registry has forgotten it` };
  }
  const target = deployment && providers.targets.get(deployment.provider);
  if (deployment && target && (await target.find(deployment.name)) !== null) {
    return { ...entry, action: 'kept', reason: `${entry.reason}; it may still answer, so a person decides` };
  }
  if (deployment) await releaseToTheEnd(remover, deployment, holder);
  await releaseToTheEnd(remover, modelLeaseOf(dependencies, version), holder);
  await registry.retire(author, { model, version: number, action: 'teardown', notes });
  return { ...entry, action: 'corrected', reason: `${entry.reason}; the registry has archived the version` };
}

/** A lease on what is gone protects nothing: releasing it finds nothing to delete but its files. */
export async function releaseVainLease(
  dependencies: SweepDependencies,
  entry: MissingEntry & { readonly resource: LeasedResource },
): Promise<MissingEntry> {
  const { resource, ...line } = entry;
  const holder: ModelHolder = { kind: 'model-version', model: line.model, version: line.version };
  await releaseToTheEnd(dependencies.remover, resource, holder);
  return { ...line, action: 'released', reason: `${line.reason}, and it was gone` };
}
