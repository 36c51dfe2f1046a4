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
