import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal } from '@temporalio/activity';
import pMap from 'p-map';
import { Obstacle, PermanentFailure } from '../../domain/failures.js';
import type { Finding, SweepEntry, SweepSpec } from '../../domain/sweep.js';
import { acquire } from '../leases/lease-workflow.js';
import { StillThereError } from '../leases/remover.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import { isBrokenOff } from './judge-cloud.js';
import { areStillOrphans } from './judge-files.js';
import { findCreator, isLeased } from './open-workflows.js';

/** How long one batch waits for what is on its way out; the next sweep takes up what is left. */
const patienceMs = 240_000;
const pauseMs = 2_000;
/** A network that fails or a model that is still in use may be over in a moment. */
const triesAfterError = 3;

/**
 * Deletes orphans and starts lost leases again; returns what came of each. Looks at everything once more right
 * before: what found an owner in the meantime stays. Safe to repeat.
 */
export async function actOnFindings(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  findings: readonly Finding[],
): Promise<SweepEntry[]> {
  const deadlineMs = Date.now() + patienceMs;
  return pMap(findings, (finding) => act(dependencies, spec, finding, deadlineMs), {
    concurrency: looksAtOnce,
  });
}

async function act(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  finding: Finding,
  deadlineMs: number,
): Promise<SweepEntry> {
  const { entry } = finding;
  for (let errors = 0; ; ) {
    try {
      const owner = await findOwner(dependencies, spec, finding);
      if (owner) return { ...entry, action: 'kept', reason: owner };
      return await actOnce(dependencies, finding);
    } catch (error) {
      cancellationSignal().throwIfAborted();
      const reason = `could not be deleted, the next sweep tries again: ${error instanceof Error ? error.message : error}`;
      const kept = { ...entry, action: 'kept', reason } as const;
      if (error instanceof PermanentFailure || error instanceof Obstacle) return kept;
      if (!(error instanceof StillThereError)) errors += 1;
      if (errors >= triesAfterError || Date.now() > deadlineMs) return kept;
      await sleep(pauseMs, undefined, { signal: cancellationSignal() });
    }
  }
}

/** In words, whoever answers for it now although nobody did a moment ago. */
async function findOwner(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  { subject, verdict }: Finding,
): Promise<string | null> {
  if (subject.is === 'upload') return null;
  if (subject.is === 'files') {
    return (await areStillOrphans(dependencies, subject, spec)) ? null : 'needed again since it was found';
  }
  const { kind, name } = subject.resource;
  if (await isLeased(kind, name)) return 'leased since it was found';
  const creator = await findCreator(subject.tags);
  if (creator === 'running') return 'its workflow is running again';
  if (verdict === 'needed') return null;
  const [version] = await dependencies.inventory.keeping([name]);
  return version && !(await isBrokenOff(version, creator))
    ? `registered as ${version.model} version ${version.version} since it was found`
    : null;
}

async function actOnce(dependencies: SweepDependencies, finding: Finding): Promise<SweepEntry> {
  const { entry, subject, verdict } = finding;
  if (subject.is === 'upload') {
    await dependencies.objects.abortUpload(subject);
    return { ...entry, action: 'deleted' };
  }
  if (subject.is === 'files') {
    await deleteFiles(dependencies, subject.prefixUri);
    return { ...entry, action: 'deleted' };
  }
  if (verdict === 'needed' && subject.holder) {
    await acquire(subject.resource, subject.holder, dependencies);
    const { model, version } = subject.holder;
    return {
      ...entry,
      action: 'leasedAgain',
      reason: `its lease was gone; it is held for ${model} version ${version} again`,
    };
  }
  // As leases delete: the remover checks the tags again, and never touches what is not ours.
  await dependencies.remover.remove(subject.resource);
  return { ...entry, action: 'deleted' };
}

/** The manifest first, so that no half of a dataset looks whole. */
async function deleteFiles({ objects }: SweepDependencies, prefixUri: string): Promise<void> {
  const uris = await objects.list(prefixUri);
  const isManifest = (uri: string) => uri.endsWith('/manifest.json');
  for (const uri of [...uris.filter(isManifest), ...uris.filter((uri) => !isManifest(uri))]) {
    await objects.delete(uri);
  }
}
