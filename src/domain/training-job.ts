import type { StoredFile } from './dataset.js';
import type { LossCurve } from './loss-curve.js';

export const trainingJobStatuses = [
  'pending',
  'running',
  'stopping',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type TrainingJobStatus = (typeof trainingJobStatuses)[number];

/** Everything a provider needs to start one job; plain data, so that it can be hashed and compared. */
export interface TrainingJobRequest {
  readonly provider: string;
  readonly jobName: string;
  readonly modelName: string;
  /** Derived from the run, never from time or chance; see `names.ts`. */
  readonly idempotencyToken: string;
  readonly baseModel: string;
  readonly hyperparameters: Readonly<Record<string, string>>;
  readonly training: StoredFile;
  readonly validation: StoredFile | null;
  readonly outputUri: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Provider-specific passthrough, for instance role, VPC and KMS settings. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface TrainingJobReference {
  readonly provider: string;
  readonly jobName: string;
  readonly modelName: string;
  /** The provider's own identifier, for instance an ARN. */
  readonly jobId: string;
}

export interface TrainingJobDescription {
  readonly status: TrainingJobStatus;
  /** As the provider spells it, for instance `InProgress`. */
  readonly rawStatus: string;
  /** One line for people: what the job is doing now. */
  readonly progress: string;
  readonly failureMessage: string | null;
  /** The provider's identifier of the trained model, once there is one. */
  readonly modelId: string | null;
  readonly trainingLoss: number | null;
  readonly validationLoss: number | null;
  /** Absent where the provider tells of no single steps. */
  readonly lossCurve?: LossCurve;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Hours that the provider bills, once it says so; null where it bills something else. */
  readonly billedHours: number | null;
}

export function isTerminal(status: TrainingJobStatus): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}
