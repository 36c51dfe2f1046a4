import { z } from 'zod';
import type { LeasedResource, ModelHolder } from './lease.js';
import type { ModelVersion } from './model-version.js';
import { roundUsd } from './money.js';

/** The input of `sweepOrphans`. Everything is optional; without `delete` nothing is changed anywhere. */
export const sweepSpecSchema = z
  .strictObject({
    /** Deletes orphans, starts lost leases again and corrects the registry. */
    delete: z.boolean().default(false),
    /** Nothing younger is looked at, by the provider's clock. */
    graceMinutes: z.number().nonnegative().max(525_600).default(60),
    /** Dataset and job files that nothing needs are kept for so long after they were written. */
    datasetDays: z.number().nonnegative().max(36_500).default(90),
    /** An hourly deployment that nothing has asked for so long is idle; null reports none. */
    idleHours: z.number().positive().max(87_600).nullable().default(null),
    /** Gives idle deployments back; needs `delete` and `idleHours` too. */
    releaseIdle: z.boolean().default(false),
  })
  .superRefine((spec, context) => {
    if (!spec.releaseIdle || (spec.delete && spec.idleHours !== null)) return;
    context.addIssue({
      code: 'custom',
      path: ['releaseIdle'],
      input: true,
      message: 'true only together with "delete": true and "idleHours"',
    });
  });

export type SweepSpec = z.infer<typeof sweepSpecSchema>;

/** Something with Anneal's tags, as its provider lists it. */
export interface OwnedResource {
  readonly kind: 'deployment' | 'model' | 'training-job';
  /** The provider or target that listed it and can delete it. */
  readonly provider: string;
  readonly name: string;
  /** The provider's own identifier, for instance an ARN. */
  readonly id: string;
  /** ISO-8601, by the provider's clock; null where it does not say. */
  readonly createdAt: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Null where the price table has no price. */
  readonly usdPerHour: number | null;
  /** What would create it again, where it is a deployment. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** One page of what a provider has of ours. */
export interface OwnedPage {
  readonly resources: readonly OwnedResource[];
  /** The provider's clock, ISO-8601. */
  readonly observedAt: string;
  /** Asks for the next page; null on the last one. */
  readonly next: string | null;
}

/** Everything that decides about one resource. */
export interface SweepFacts {
  /** The tag `anneal:owner`. */
  readonly owner: string | null;
  /** The tag `anneal:bucket` names our bucket: the same account may have another installation. */
  readonly isOfThisInstallation: boolean;
  /** By the provider's clock; null where it does not say. */
  readonly ageHours: number | null;
  readonly hasLiveLease: boolean;
  /** The workflow that created it is running. */
  readonly isCreatorRunning: boolean;
  /** The registered version that needs it, in words; null when none does. */
  readonly neededBy: string | null;
}

export type SweepVerdict = 'foreign' | 'young' | 'leased' | 'inUse' | 'needed' | 'orphan';

/** An orphan is ours, past its grace, and nobody's: no lease, no running creator, no registered version. */
export function judge(facts: SweepFacts, graceHours: number): SweepVerdict {
  if (facts.owner !== 'anneal' || !facts.isOfThisInstallation) return 'foreign';
  if (facts.ageHours === null || !(facts.ageHours >= graceHours)) return 'young';
  if (facts.hasLiveLease) return 'leased';
  if (facts.isCreatorRunning) return 'inUse';
  if (facts.neededBy !== null) return 'needed';
  return 'orphan';
}

export type SweptKind = OwnedResource['kind'] | 'upload' | FileGroup['kind'];

/** One line of the report about what exists and should not, or exists and nobody answers for. */
export interface SweepEntry {
  readonly kind: SweptKind;
  readonly name: string;
  readonly model: string | null;
  /** The workflow that created it; null where nobody knows. */
  readonly owner: string | null;
  readonly ageHours: number;
  readonly usdPerMonth: number | null;
  readonly action: 'reported' | 'deleted' | 'kept' | 'leasedAgain';
  readonly reason: string;
}

/** What a promotion has superseded and its run has not given back; `entries` are the lines of the report. */
export interface Leftover {
  readonly model: string;
  /** Versions whose models and deployments can go. */
  readonly superseded: readonly ModelVersion[];
  /** The previous champion where its deployment bills by the hour: the model stays, the deployment goes. */
  readonly costlyStandby: ModelVersion | null;
  readonly entries: readonly SweepEntry[];
}

/** Something found, with what a later activity needs to act on it. */
export interface Finding {
  readonly entry: SweepEntry;
  readonly verdict: 'needed' | 'orphan';
  readonly subject:
    | {
        readonly is: 'resource';
        readonly resource: LeasedResource;
        readonly tags: OwnedResource['tags'];
        /** Whose lease is started again; null for an orphan. */
        readonly holder: ModelHolder | null;
      }
    | FileGroup
    | { readonly is: 'upload'; readonly uri: string; readonly uploadId: string };
}

/** Files that are needed together or not at all: a dataset, or what a training job wrote. */
export interface FileGroup {
  readonly is: 'files';
  readonly kind: 'dataset' | 'job-files' | 'base-model';
  /** Null where it may be of several models. */
  readonly model: string | null;
  /** The dataset's folder, the job, or the base model's fingerprint and quantization. */
  readonly name: string;
  readonly prefixUri: string;
}

/** Where a sweep of the cloud goes on. */
export interface CloudCursor {
  readonly source: number;
  readonly page: string | null;
}

/** Where a sweep of the registry goes on. */
export interface VersionKey {
  readonly model: string;
  readonly version: number;
}

/** One line of the report about what should exist and does not. */
export interface MissingEntry {
  /** `champion`: the deployment is there, and serves another model than its champion's. */
  readonly kind: 'deployment' | 'model' | 'lease' | 'champion';
  readonly name: string;
  readonly model: string;
  readonly version: number;
  readonly action: 'reported' | 'corrected' | 'released' | 'kept';
  readonly reason: string;
  /** The command that brings it back, or puts the books right. */
  readonly next: string;
}

/** An hourly deployment that nothing asks. */
export interface IdleEntry {
  readonly deployment: string;
  readonly target: string;
  readonly model: string;
  readonly version: number;
  readonly status: string;
  readonly idleHours: number;
  /** ISO-8601; null when it was never asked. */
  readonly lastUsedAt: string | null;
  /** What would create it again. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly usdPerHour: number;
  readonly usdPerDay: number;
  readonly usdPerMonth: number;
  /** What the idle hours have cost. */
  readonly idleUsd: number;
  readonly action: 'reported' | 'released' | 'kept';
  readonly reason: string;
  /** The command that brings it back once it is released. */
  readonly next: string;
}

export interface SweepCounts {
  /** Resources of ours that exist, files and uploads not among them. */
  readonly examined: number;
  readonly orphans: number;
  readonly deleted: number;
  readonly leasedAgain: number;
  readonly kept: number;
  readonly missing: number;
  readonly corrected: number;
  readonly idle: number;
  readonly released: number;
}

/** What `sweepOrphans` returns. */
export interface SweepResult {
  readonly dryRun: boolean;
  readonly counts: SweepCounts;
  readonly orphans: readonly SweepEntry[];
  readonly missing: readonly MissingEntry[];
  readonly idle: readonly IdleEntry[];
  /** Entries that stand in the report only. */
  readonly notListed: number;
  /** What the orphans cost that are still there, without idle deployments. */
  readonly totalUsdPerMonth: number;
  /** Everything found, as JSON in object storage; null when nothing was. */
  readonly report: string | null;
  readonly next: string;
}

export const hoursPerMonth = 730;

export function usdPerMonth(usdPerHour: number | null): number | null {
  return usdPerHour === null ? null : roundUsd(usdPerHour * hoursPerMonth);
}

/** A command that starts a workflow under the ID that these pages use. */
export function startCommand(taskQueue: string, type: string, workflowId: string, input: object): string {
  return `temporal workflow start --task-queue ${taskQueue} --type ${type} --workflow-id ${workflowId} --input '${JSON.stringify(input)}'`;
}

/** Brings a version's deployment back as it was. */
export function deployCommand(
  taskQueue: string,
  version: { readonly model: string; readonly version: number },
  deployment: { readonly target: string; readonly settings?: Readonly<Record<string, unknown>> } | null,
): string {
  const input = { model: version.model, version: version.version, ...(deployment && { deployment }) };
  return startCommand(taskQueue, 'deploy', `deploy/${version.model}`, input);
}
