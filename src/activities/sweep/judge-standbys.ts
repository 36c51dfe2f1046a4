import pMap from 'p-map';
import type { ModelVersion } from '../../domain/model-version.js';
import { hoursBetween } from '../../domain/money.js';
import {
  type Leftover,
  type SweepEntry,
  type SweepSpec,
  usdPerMonth,
  type VersionKey,
} from '../../domain/sweep.js';
import { lastMove } from '../registry/last-move.js';
import { findStandbys } from '../registry/standbys.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import { keyAfter, versionsInPage } from './inventory.js';
import { isLeased } from './open-workflows.js';

export interface JudgedStandbys {
  readonly leftovers: readonly Leftover[];
  readonly next: VersionKey | null;
}

/** Models whose last promotion or rollback has superseded what was never given back. */
export async function judgeStandbys(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  after: VersionKey | null,
): Promise<JudgedStandbys> {
  const versions = await dependencies.inventory.page(after, versionsInPage);
  const models = new Set(versions.filter(({ status }) => status === 'previous').map(({ model }) => model));
  const found = await pMap(models, (model) => findLeftover(dependencies, spec, model), {
    concurrency: looksAtOnce,
  });
  return {
    leftovers: found.filter((leftover) => leftover !== null),
    next: keyAfter(versions),
  };
}

/** Null while somebody works on the model, who will give it back. */
async function findLeftover(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  model: string,
): Promise<Leftover | null> {
  const leftover = await leftoverOf(dependencies, spec, model);
  return leftover === null || (await isLeased('model', model)) ? null : leftover;
}

/**
 * What the last move of the alias has superseded and its run has not given back; null when there is nothing.
 * What somebody deployed by hand since then is theirs, and is not touched.
 */
export async function leftoverOf(
  { registry }: Pick<SweepDependencies, 'registry'>,
  { graceMinutes }: SweepSpec,
  model: string,
): Promise<Leftover | null> {
  const history = await registry.history(model);
  const move = lastMove(history);
  if (!move) return null;
  const ageHours = hoursBetween(move.at, new Date().toISOString());
  if (ageHours < graceMinutes / 60) return null;
  const later = history.slice(history.indexOf(move) + 1);
  const isUntouched = ({ version }: ModelVersion) => !later.some((event) => event.version === version);
  const found = await findStandbys(registry, model, move.previousVersion);
  const superseded = found.superseded.filter(isUntouched);
  const costlyStandby = found.costlyStandby && isUntouched(found.costlyStandby) ? found.costlyStandby : null;
  const entries = [
    ...superseded.flatMap((version) => [
      ...deploymentEntries(version, ageHours),
      { ...entryOf(version, ageHours), kind: 'model' as const, name: version.modelName },
    ]),
    ...(costlyStandby ? deploymentEntries(costlyStandby, ageHours) : []),
  ];
  return entries.length === 0 ? null : { model, superseded, costlyStandby, entries };
}

function deploymentEntries(version: ModelVersion, ageHours: number): SweepEntry[] {
  const { deployment } = version;
  if (!deployment) return [];
  const { name, usdPerHour } = deployment;
  return [{ ...entryOf(version, ageHours), kind: 'deployment', name, usdPerMonth: usdPerMonth(usdPerHour) }];
}

function entryOf({ model, version }: ModelVersion, ageHours: number) {
  const reason = `version ${version} was superseded, and the run that did it ended before it was given back`;
  return { model, owner: null, ageHours, usdPerMonth: null, action: 'reported', reason } as const;
}
