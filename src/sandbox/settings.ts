import { defaultReadings, type SandboxReadings } from './readings.js';

/** What can be set about a sandbox. Durations are in sandbox time; the defaults are for a person at a desk. */
export interface SandboxSettings {
  readonly accountId: string;
  /** Total duration of a training job in sandbox hours; null derives it from tokens and epochs. */
  readonly trainingHours: number | null;
  readonly deploymentMinutes: number;
  readonly throughputMinutes: number;
  readonly updateMinutes: number;
  readonly stopMinutes: number;
  /**
   * How SageMaker's training jobs are carried out: by the clock alone, with nothing trained, or by really running
   * their program on this machine.
   */
  readonly training: 'simulated' | 'real';
  /** The Python that real training jobs run with, in place of the container's. */
  readonly python: string;
  /** How long a deleted deployment or throughput is still seen; see assumption 13. */
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
  /** SageMaker's, of all instance types together. */
  readonly trainingJobs: number;
}

export const defaultSettings: SandboxSettings = {
  accountId: '000000000000',
  trainingHours: null,
  deploymentMinutes: 10,
  throughputMinutes: 15,
  updateMinutes: 10,
  stopMinutes: 2,
  training: 'simulated',
  python: 'python3',
  deletionMinutes: 0,
  quotas: {
    modelUnitsWithoutCommitment: 2,
    modelUnitsWithCommitment: 2,
    deploymentsInProgress: 2,
    scheduledCustomizationJobs: 10,
    trainingJobs: 20,
  },
  readings: defaultReadings,
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
