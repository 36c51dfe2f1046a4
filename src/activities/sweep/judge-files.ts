import pMap from 'p-map';
import { hoursBetween, roundUsd } from '../../domain/money.js';
import { type FileGroup, type Finding, judge, type SweepFacts, type SweepSpec } from '../../domain/sweep.js';
import { convertedBaseModelsFolder } from '../conversion/converter.js';
import type { StoredObject } from '../dataset/object-store.js';
import { looksAtOnce, type SweepDependencies } from './dependencies.js';
import type { Inventory, KeptVersion } from './inventory.js';
import { describeVersion } from './kept-leases.js';
import { isLeased } from './open-workflows.js';

const bytesInGigabyte = 1_000_000_000;
/** Groups judged at a time, so that results stay small. */
const groupsInPage = 100;
/** What is left over is found by the next sweep. */
const uploadsInSweep = 300;

export interface JudgedFiles {
  readonly findings: readonly Finding[];
  /** Goes on after this URI; null when everything was seen. */
  readonly next: string | null;
}

interface Gathered {
  readonly group: FileGroup;
  bytes: number;
  /** Since the newest of its files was written. */
  ageHours: number;
  lastUri: string;
}

/**
 * Judges datasets, job files and files of base models below our prefixes that have not been written for long enough.
 * Base models are few, and come with the last page.
 */
export async function judgeFiles(
  dependencies: SweepDependencies,
  spec: SweepSpec,
  after: string | null,
): Promise<JudgedFiles> {
  const { findings, next } = await judgeBelow(dependencies, 'models', maximumAge(spec), after);
  if (next !== null) return { findings, next };
  let baseModels: JudgedFiles = { findings: [], next: null };
  do {
    const page = await judgeBelow(dependencies, convertedBaseModelsFolder, maximumAge(spec), baseModels.next);
    baseModels = { findings: [...baseModels.findings, ...page.findings], next: page.next };
  } while (baseModels.next !== null);
  return { findings: [...findings, ...baseModels.findings], next: null };
}

/** A conversion counts on a base model's file for a moment before the registry says so. */
function maximumAge({ datasetDays, graceMinutes }: SweepSpec): Record<FileGroup['kind'], number> {
  const hours = datasetDays * 24;
  return { dataset: hours, 'job-files': hours, 'base-model': Math.max(hours, graceMinutes / 60) };
}

async function judgeBelow(
  dependencies: SweepDependencies,
  folder: string,
  maximumAgeHours: Record<FileGroup['kind'], number>,
  after: string | null,
): Promise<JudgedFiles> {
  const { old, next } = await gatherOld(dependencies, folder, maximumAgeHours, after);
  const findings = await pMap(old, (gathered) => toFinding(dependencies, gathered, maximumAgeHours), {
    concurrency: looksAtOnce,
  });
  return { findings: findings.filter((finding) => finding !== null), next };
}

/** Objects come in order of key, so the files of a group follow each other. */
async function gatherOld(
  { objects, bucket }: SweepDependencies,
  folder: string,
  maximumAgeHours: Record<FileGroup['kind'], number>,
  start: string | null,
): Promise<{ old: Gathered[]; next: string | null }> {
  const old: Gathered[] = [];
  let current: Gathered | null = null;
  const finish = () => {
    if (current && current.ageHours >= maximumAgeHours[current.group.kind]) old.push(current);
  };
  let after = start;
  for (;;) {
    const page = await objects.listPage(`s3://${bucket}/${folder}/`, after);
    for (const object of page.objects) {
      const group = groupOf(bucket, object.uri);
      if (!group) continue;
      if (current?.group.prefixUri !== group.prefixUri) {
        finish();
        if (current && old.length >= groupsInPage) return { old, next: current.lastUri };
        current = { group, bytes: 0, ageHours: Number.POSITIVE_INFINITY, lastUri: object.uri };
      }
      add(current, object, page.observedAt);
    }
    after = page.objects.at(-1)?.uri ?? after;
    if (page.isLast) break;
  }
  finish();
  return { old, next: null };
}

function add(gathered: Gathered, { uri, bytes, modifiedAt }: StoredObject, observedAt: string): void {
  gathered.bytes += bytes;
  gathered.ageHours = Math.min(gathered.ageHours, hoursBetween(modifiedAt, observedAt));
  gathered.lastUri = uri;
}

/** Null for what is kept for good, such as reports, and for what is not ours. */
function groupOf(bucket: string, uri: string): FileGroup | null {
  const basePrefix = `s3://${bucket}/${convertedBaseModelsFolder}/`;
  if (uri.startsWith(basePrefix)) return baseModelGroup(basePrefix, uri);
  const prefix = `s3://${bucket}/models/`;
  const [model, folder, name, ...rest] = uri.slice(prefix.length).split('/');
  if (!model || !name || rest.length === 0 || (folder !== 'datasets' && folder !== 'jobs')) return null;
  const kind = folder === 'datasets' ? 'dataset' : 'job-files';
  return { is: 'files', kind, model, name, prefixUri: `${prefix}${model}/${folder}/${name}/` };
}

/** A file, and beside its folder the description that names it. */
function baseModelGroup(prefix: string, uri: string): FileGroup | null {
  const [fingerprint, quantization] = uri.slice(prefix.length).split('/');
  if (!fingerprint || !quantization) return null;
  const name = `${fingerprint}/${quantization.replace(/\.json$/, '')}`;
  return { is: 'files', kind: 'base-model', model: null, name, prefixUri: `${prefix}${name}` };
}

async function toFinding(
  dependencies: SweepDependencies,
  { group, bytes, ageHours }: Gathered,
  maximumAgeHours: Record<FileGroup['kind'], number>,
): Promise<Finding | null> {
  const facts = await factsOf(dependencies, group, ageHours);
  if (judge(facts, maximumAgeHours[group.kind]) !== 'orphan') return null;
  const usd = roundUsd((bytes / bytesInGigabyte) * dependencies.storageUsdPerGigabyteMonth);
  return {
    verdict: 'orphan',
    entry: {
      kind: group.kind,
      name: group.prefixUri,
      model: group.model,
      owner: null,
      ageHours,
      usdPerMonth: usd,
      action: 'reported',
      reason: `${bytes} bytes that no registered version and no running workflow needs`,
    },
    subject: group,
  };
}

async function factsOf(
  { inventory }: SweepDependencies,
  group: FileGroup,
  ageHours: number,
): Promise<SweepFacts> {
  const { kind, model, name, prefixUri } = group;
  const isDataset = kind === 'dataset';
  const hasLiveLease = kind === 'job-files' && (await isLeased('training-job', name));
  const isCreatorRunning = model !== null && (await isLeased('model', model));
  const builtHoursAgo = isDataset ? await inventory.hoursSinceBuilt(prefixUri) : null;
  const [version] = await versionsNeeding(inventory, group);
  return {
    // Only Anneal writes there.
    owner: 'anneal',
    isOfThisInstallation: true,
    ageHours: Math.min(ageHours, builtHoursAgo ?? ageHours),
    hasLiveLease,
    isCreatorRunning,
    neededBy: version ? describeVersion(version) : null,
  };
}

function versionsNeeding(inventory: Inventory, { kind, name, prefixUri }: FileGroup): Promise<KeptVersion[]> {
  switch (kind) {
    case 'dataset':
      return inventory.trainedOn(prefixUri);
    case 'job-files':
      return inventory.keeping([name]);
    case 'base-model':
      return inventory.convertedOn(prefixUri);
  }
}

/** Looks again right before a delete: at the files themselves and at everybody who may need them. */
export async function areStillOrphans(
  dependencies: SweepDependencies,
  group: FileGroup,
  spec: SweepSpec,
): Promise<boolean> {
  const { objects, observedAt } = await dependencies.objects.listPage(group.prefixUri, null);
  const ages = objects.map(({ modifiedAt }) => hoursBetween(modifiedAt, observedAt));
  const facts = await factsOf(dependencies, group, Math.min(...ages, Number.POSITIVE_INFINITY));
  return judge(facts, maximumAge(spec)[group.kind]) === 'orphan';
}

/** Uploads in parts that were begun before the grace and never came to an end. */
export async function judgeUploads(
  { objects, bucket }: SweepDependencies,
  spec: SweepSpec,
): Promise<Finding[]> {
  const listed = await Promise.all(
    ['models', convertedBaseModelsFolder].map((folder) => objects.listUploads(`s3://${bucket}/${folder}/`)),
  );
  const begun = listed.flatMap(({ uploads, observedAt }) =>
    uploads.map((upload) => ({ ...upload, ageHours: hoursBetween(upload.startedAt, observedAt) })),
  );
  const judged = await pMap(
    begun.slice(0, uploadsInSweep),
    async ({ uri, uploadId, ageHours }): Promise<Finding | null> => {
      const [folder, name = ''] = uri.slice(`s3://${bucket}/`.length).split('/');
      const model = folder === 'models' ? name : null;
      const facts = {
        owner: 'anneal',
        isOfThisInstallation: true,
        ageHours,
        hasLiveLease: false,
        isCreatorRunning: model !== null && (await isLeased('model', model)),
        neededBy: null,
      };
      if (judge(facts, spec.graceMinutes / 60) !== 'orphan') return null;
      return {
        verdict: 'orphan',
        entry: {
          kind: 'upload',
          name: uri,
          model,
          owner: null,
          ageHours,
          // Its parts are not listed; they cost as objects do.
          usdPerMonth: null,
          action: 'reported',
          reason: 'an upload in parts that was begun and never completed',
        },
        subject: { is: 'upload', uri, uploadId },
      };
    },
    { concurrency: looksAtOnce },
  );
  return judged.filter((finding) => finding !== null);
}
