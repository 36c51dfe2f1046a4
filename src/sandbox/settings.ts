import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { InvalidInput, parseInput, parseJson } from './input.js';

/** What can be set about a sandbox. Durations are in sandbox time; the defaults are for a person at a desk. */
export interface SandboxSettings {
  readonly accountId: string;
  /** Total duration of a training job in sandbox hours; null derives it from tokens and epochs. */
  readonly trainingHours: number | null;
  readonly deploymentMinutes: number;
  readonly throughputMinutes: number;
  readonly updateMinutes: number;
  readonly stopMinutes: number;
  /** How long a deleted deployment is still seen; see assumption 13. */
  readonly deletionMinutes: number;
  readonly quotas: SandboxQuotas;
  /** What the sandbox takes AWS to mean where its documents are silent; see docs/assumptions.md. */
  readonly readings: SandboxReadings;
}

export interface SandboxQuotas {
  /** Model units without commitment, across custom models. A new AWS account has 0; the sandbox lends 2. */
  readonly modelUnitsWithoutCommitment: number;
  readonly modelUnitsWithCommitment: number;
  readonly deploymentsInProgress: number;
  readonly scheduledCustomizationJobs: number;
}

export interface SandboxReadings {
  /** Assumption 2: a known token with other parameters gives the first resource, or a ValidationException. */
  readonly tokenWithOtherParameters: 'first-resource' | 'validation-error';
  /** Assumption 3: a token whose resource was deleted still answers with it, or starts afresh. */
  readonly tokenOfDeletedResource: 'first-resource' | 'new-resource';
  /** Assumption 14: while a throughput is updating, the old model answers, or nothing does. */
  readonly invokeWhileUpdating: 'old-model' | 'not-ready';
  /** Assumption 17: base models with a context suffix answer on demand, or only with throughput. */
  readonly suffixedBaseModelOnDemand: 'answers' | 'validation-error';
}

export const defaultSettings: SandboxSettings = {
  accountId: '000000000000',
  trainingHours: null,
  deploymentMinutes: 10,
  throughputMinutes: 15,
  updateMinutes: 10,
  stopMinutes: 2,
  deletionMinutes: 0,
  quotas: {
    modelUnitsWithoutCommitment: 2,
    modelUnitsWithCommitment: 2,
    deploymentsInProgress: 2,
    scheduledCustomizationJobs: 10,
  },
  readings: {
    tokenWithOtherParameters: 'first-resource',
    tokenOfDeletedResource: 'first-resource',
    invokeWhileUpdating: 'old-model',
    suffixedBaseModelOnDemand: 'answers',
  },
};

/** Settings as a caller gives them: any part, the rest by default. */
export type SettingsOverride = Partial<Omit<SandboxSettings, 'quotas' | 'readings'>> & {
  readonly quotas?: Partial<SandboxQuotas>;
  readonly readings?: Partial<SandboxReadings>;
};

export function resolveSettings(override: SettingsOverride = {}): SandboxSettings {
  return {
    ...defaultSettings,
    ...override,
    quotas: { ...defaultSettings.quotas, ...override.quotas },
    readings: { ...defaultSettings.readings, ...override.readings },
  };
}

/** What can be set by `--readings`: the switches that docs/assumptions.md names. */
const readings = z.strictObject({
  tokenWithOtherParameters: z.enum(['first-resource', 'validation-error']).optional(),
  tokenOfDeletedResource: z.enum(['first-resource', 'new-resource']).optional(),
  invokeWhileUpdating: z.enum(['old-model', 'not-ready']).optional(),
  suffixedBaseModelOnDemand: z.enum(['answers', 'validation-error']).optional(),
  deletionMinutes: z.number().min(0).optional(),
  modelUnitsWithoutCommitment: z.int().min(0).optional(),
});

/** Reads the readings of the open questions from a file, or from JSON itself. */
export function parseReadings(fileOrJson: string): SettingsOverride {
  const isJson = fileOrJson.trimStart().startsWith('{');
  if (!isJson && !existsSync(fileOrJson)) {
    throw new InvalidInput(
      `There is no file ${fileOrJson}; give a file of readings or JSON, for instance {"invokeWhileUpdating": "not-ready"}.`,
    );
  }
  const subject = isJson ? '--readings' : fileOrJson;
  const value = parseJson(isJson ? fileOrJson : readFileSync(fileOrJson, 'utf8'), subject);
  const { deletionMinutes, modelUnitsWithoutCommitment, ...rest } = parseInput(readings, value, subject);
  return {
    readings: rest,
    ...(deletionMinutes !== undefined && { deletionMinutes }),
    ...(modelUnitsWithoutCommitment !== undefined && { quotas: { modelUnitsWithoutCommitment } }),
  };
}
