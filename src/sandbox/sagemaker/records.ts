import type { CreateTrainingJobCommandInput } from '@aws-sdk/client-sagemaker';
import type { Tags } from '../bedrock/records.js';

/** What the sandbox remembers of one SageMaker training job. All times are milliseconds of sandbox time. */
export interface TrainingJobRecord {
  readonly arn: string;
  readonly name: string;
  readonly region: string;
  /** As it was asked for. */
  readonly request: CreateTrainingJobCommandInput;
  tags: Tags;
  readonly createdAt: number;
  readonly plan: TrainingPlan;
  /** Steps of training, for what a simulated job says of itself. */
  readonly steps: number;
  /** That its machine is going to be taken back, and when; null for a job as it should be. */
  interruption: Interruption | null;
  /** That it is going to fail while it trains, and when. */
  doom: { readonly failureReason: string; readonly afterMs: number } | null;
  stopRequestedAt: number | null;
  /** How the program of a real job ended; null before, and for simulated ones. */
  ended: ProgramEnd | null;
  /** Set once the job has ended and its results have been written; never changes after that. */
  settled: { readonly at: number; readonly billableSeconds: number; readonly hasArtifact: boolean } | null;
}

export interface TrainingPlan {
  startingMs: number;
  readonly downloadingMs: number;
  /** Null for a job that is really run: it takes as long as it takes. */
  readonly trainingMs: number | null;
  readonly uploadingMs: number;
  /** Of a simulated job, from the request to stop to the end. */
  stopMs: number;
}

export interface Interruption {
  /** Since training began. */
  readonly afterMs: number;
  readonly forMs: number;
}

export interface ProgramEnd {
  readonly at: number;
  /** Null where it ended well. */
  readonly failureReason: string | null;
  readonly exitCode: number | null;
  readonly hasArtifact: boolean;
}
