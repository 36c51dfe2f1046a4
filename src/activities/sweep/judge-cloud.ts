import pMap from 'p-map';
import { hoursBetween, roundUsd } from '../../domain/money.js';
import { trainingOutputUri } from '../../domain/names.js';
import {
  type CloudCursor,
  deployCommand,
  type Finding,
  type IdleEntry,
  judge,
  type OwnedPage,
  type OwnedResource,
  type SweepSpec,
  usdPerMonth,
} from '../../domain/sweep.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import type { KeptVersion } from './inventory.js';
import { deploymentLeaseOf, describeVersion, modelLeaseOf } from './kept-leases.js';
import { type CreatorState, findCreator, isLeased } from './open-workflows.js';

export interface JudgedPage {
  readonly examined: number;
  readonly findings: readonly Finding[];
  readonly idle: readonly IdleEntry[];
  /** Null after the last page of the last provider. */
  readonly next: CloudCursor | null;
}

/**
 * Judges one page of what a provider has of ours. First the cloud, then the leases, then the registry: a run
 * acquires its lease before it creates, and hands it to a registered version before it ends, so whatever is
 * seen here without an owner has none.
 */
export async function judgeCloud(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  cursor: CloudCursor,
  taskQueue: string,
): Promise<JudgedPage> {
  // Deployments first: a model that is served cannot be deleted.
  const sources = [...dependencies.providers.targets.values(), ...dependencies.providers.training.values()];
  const source = sources[cursor.source];
  if (!source) return { examined: 0, findings: [], idle: [], next: null };
  const page = await source.listOwned(cursor.page);

  const graceHours = spec.graceMinutes / 60;
  const ours = page.resources.filter((resource) => isOurs(dependencies, resource));
  const seen = await pMap(ours, (resource) => seeOwner(resource, page, graceHours), {
    concurrency: looksAtOnce,
  });
  const versions = await dependencies.inventory.keeping(ours.map(({ name }) => name));
  const judged = await pMap(seen, async (each) => ({ ...each, version: await whoNeeds(versions, each) }), {
    concurrency: looksAtOnce,
  });

  const findings = judged.flatMap((each) => toFinding(dependencies, each, graceHours));
  const orphans = new Set(
    findings.filter(({ verdict }) => verdict === 'orphan').map(({ entry }) => entry.name),
  );
  const idle = await findIdle(
    dependencies,
    spec,
    judged.filter(({ resource }) => !orphans.has(resource.name)),
    taskQueue,
  );
  return { examined: ours.length, findings, idle, next: nextCursor(cursor, page, sources.length) };
}

/** Another installation in the same account keeps its files in another bucket. */
function isOurs({ bucket }: SweepDependencies, { tags }: OwnedResource): boolean {
  return tags['anneal:bucket'] === bucket;
}

interface Seen {
  readonly resource: OwnedResource;
  readonly ageHours: number | null;
  readonly hasLiveLease: boolean;
  readonly creator: CreatorState;
}

async function seeOwner(
  resource: OwnedResource,
  { observedAt }: OwnedPage,
  graceHours: number,
): Promise<Seen> {
  const ageHours = resource.createdAt === null ? null : hoursBetween(resource.createdAt, observedAt);
  const isYoung = ageHours === null || ageHours < graceHours;
  const hasLiveLease = isYoung || (await isLeased(leasedKindOf(resource), resource.name));
  return {
    resource,
    ageHours,
    hasLiveLease,
    creator: hasLiveLease ? 'unknown' : await findCreator(resource.tags),
  };
}

export function leasedKindOf({ kind }: OwnedResource): 'deployment' | 'training-job' {
  return kind === 'deployment' ? 'deployment' : 'training-job';
}

const precedence = ['champion', 'previous', 'candidate'];

async function whoNeeds(
  versions: readonly KeptVersion[],
  { resource: { kind, name }, creator }: Seen,
): Promise<KeptVersion | null> {
  const needing = versions.filter(({ modelName, jobName, deployment }) =>
    kind === 'deployment' ? deployment?.name === name : modelName === name || jobName === name,
  );
  const byStatus = (a: KeptVersion, b: KeptVersion) =>
    precedence.indexOf(a.status) - precedence.indexOf(b.status);
  const version = needing.sort(byStatus)[0] ?? null;
  return version && (await isBrokenOff(version, creator)) ? null : version;
}

/** A candidate whose run ended before its verdict, and on which nobody works, will never come to one. */
export async function isBrokenOff({ status, model }: KeptVersion, creator: CreatorState): Promise<boolean> {
  return status === 'candidate' && creator === 'broken-off' && !(await isLeased('model', model));
}

function toFinding(
  dependencies: SweepDependencies,
  { version, resource, creator, ...seen }: Seen & { version: KeptVersion | null },
  graceHours: number,
): Finding[] {
  const neededBy = version && describeVersion(version);
  const owner = resource.tags['anneal:owner'] ?? null;
  const isOfThisInstallation = isOurs(dependencies, resource);
  const verdict = judge(
    { ...seen, isCreatorRunning: creator === 'running', owner, isOfThisInstallation, neededBy },
    graceHours,
  );
  if (verdict !== 'orphan' && verdict !== 'needed') return [];
  const model = version?.model ?? resource.tags['anneal:model'] ?? '';
  const kept =
    version &&
    (resource.kind === 'deployment' ? deploymentLeaseOf(version) : modelLeaseOf(dependencies, version));
  const ownFiles = resource.kind !== 'deployment' && model !== '';
  return [
    {
      verdict,
      entry: {
        kind: resource.kind,
        name: resource.name,
        model: model || null,
        owner: resource.tags['anneal:workflow'] ?? null,
        ageHours: seen.ageHours ?? 0,
        usdPerMonth: usdPerMonth(resource.usdPerHour),
        action: 'reported',
        reason:
          verdict === 'needed'
            ? `${neededBy} needs it and its lease is gone: the lease will be started again`
            : 'no lease, no running workflow and no version that serves or may come to serve answers for it',
      },
      subject: {
        is: 'resource',
        resource: kept ?? {
          kind: leasedKindOf(resource),
          provider: resource.provider,
          name: resource.name,
          model,
          usdPerHour: resource.usdPerHour ?? 0,
          filesUri: ownFiles ? trainingOutputUri(dependencies.bucket, model, resource.name) : null,
        },
        tags: resource.tags,
        holder: version && { kind: 'model-version', model: version.model, version: version.version },
      },
    },
  ];
}

/** Hourly deployments of registered versions that nothing has asked for longer than allowed. */
async function findIdle(
  { usage }: SweepDependencies,
  { idleHours: limit }: SweepSpec,
  judged: readonly (Seen & { version: KeptVersion | null })[],
  taskQueue: string,
): Promise<IdleEntry[]> {
  if (limit === null) return [];
  const used = await usage.idleHours(judged.map(({ resource }) => resource.id));
  return judged.flatMap(({ resource, ageHours, version }) => {
    const usdPerHour = version?.deployment?.usdPerHour ?? resource.usdPerHour ?? 0;
    const last = used.get(resource.id);
    const idleHours = last?.hours ?? ageHours ?? 0;
    if (resource.kind !== 'deployment' || !version || usdPerHour === 0 || idleHours < limit) return [];
    const { provider: target, settings } = resource;
    return [
      {
        deployment: resource.name,
        target,
        model: version.model,
        version: version.version,
        status: version.status,
        idleHours,
        lastUsedAt: last?.at ?? null,
        settings,
        usdPerHour,
        usdPerDay: roundUsd(usdPerHour * 24),
        usdPerMonth: usdPerMonth(usdPerHour) ?? 0,
        idleUsd: roundUsd(usdPerHour * idleHours),
        action: 'reported',
        reason: last ? 'nothing has asked it for so long' : 'nothing has ever asked it',
        next: deployCommand(taskQueue, version, { target, settings }),
      },
    ];
  });
}

function nextCursor(cursor: CloudCursor, page: OwnedPage, sources: number): CloudCursor | null {
  if (page.next !== null) return { source: cursor.source, page: page.next };
  return cursor.source + 1 < sources ? { source: cursor.source + 1, page: null } : null;
}
