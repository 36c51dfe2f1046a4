import pMap from 'p-map';
import { type MissingEntry, type SweepSpec, startCommand, type VersionKey } from '../../domain/sweep.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import { type KeptVersion, keyAfter, versionsInPage } from './inventory.js';
import type { JudgedVersions } from './judge-books.js';
import { describeVersion } from './kept-leases.js';
import { isLeased } from './open-workflows.js';

/**
 * Champions whose deployment serves another model: a swap was cut short, and whoever would have put it back, the
 * run and the lease of its lock, is gone.
 */
export async function judgeChampions(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  after: VersionKey | null,
  taskQueue: string,
): Promise<JudgedVersions> {
  const versions = await dependencies.inventory.page(after, versionsInPage);
  const champions = versions.filter(({ status }) => status === 'champion');
  const judged = await pMap(champions, (version) => findDisplaced(dependencies, spec, version, taskQueue), {
    concurrency: looksAtOnce,
  });
  return { missing: judged.filter((entry) => entry !== null), next: keyAfter(versions) };
}

/** Null while the champion serves from its deployment, nothing can be swapped there, or somebody works on the model. */
async function findDisplaced(
  { registry, providers }: SweepDependencies,
  spec: SweepSpec,
  kept: KeptVersion,
  taskQueue: string,
): Promise<MissingEntry | null> {
  const target = kept.deployment && providers.targets.get(kept.deployment.target);
  if (!target || target.trialTarget === null || kept.unchangedHours < spec.graceMinutes / 60) return null;
  const champion = await registry.champion(kept.model);
  if (!champion?.deployment || champion.version !== kept.version) return null;
  const description = await target.describe(champion.deployment);
  const isUpdating = description?.status === 'updating';
  if (!description || (!isUpdating && description.modelId === champion.modelId)) return null;
  if (await isLeased('model', kept.model)) return null;
  // A run may have swapped and ended since the first look.
  if ((await registry.champion(kept.model))?.version !== kept.version) return null;
  const { model, version } = kept;
  const found = isUpdating ? 'is being pointed at a model' : 'serves another model';
  return {
    kind: 'champion',
    name: champion.deployment.name,
    model,
    version,
    action: 'reported',
    reason: `deployment of ${describeVersion(kept)} ${found}, and nobody works on it: a swap was cut short`,
    next: startCommand(taskQueue, 'sweepOrphans', 'sweep-orphans', { ...spec, delete: true }),
  };
}
