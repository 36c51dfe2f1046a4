/** What the sandbox remembers of Bedrock. All times are milliseconds of sandbox time. */
export type Tags = Readonly<Record<string, string>>;

export interface JobRecord {
  readonly id: string;
  readonly arn: string;
  readonly jobName: string;
  readonly modelName: string;
  readonly modelArn: string;
  readonly baseModel: string;
  readonly region: string;
  readonly roleArn: string;
  readonly token: string | null;
  readonly fingerprint: string;
  readonly customizationType: string | null;
  readonly hyperParameters: Readonly<Record<string, string>>;
  readonly trainingUri: string;
  readonly validationUri: string | null;
  readonly outputUri: string;
  readonly vpcConfig: unknown;
  readonly kmsKeyId: string | null;
  tags: Tags;
  readonly modelTags: Tags;
  readonly createdAt: number;
  readonly stopMs: number;
  checked: CheckedDataset | null;
  trained: TrainedOutcome | null;
  learnerFailure: { readonly at: number; readonly message: string } | null;
  stopRequestedAt: number | null;
  /** That it is going to fail while it trains, and when; null for a job as it should be. */
  doom: JobDoom | null;
  /** Set once the job has ended and its results have been written; never changes after that. */
  settled: SettledJob | null;
}

export interface JobDoom {
  readonly failureMessage: string;
  /** After the training stage began; at its end at the latest. */
  readonly afterMs: number;
}

export interface SettledJob {
  readonly at: number;
  readonly status: 'Completed' | 'Failed' | 'Stopped';
  readonly failureMessage: string | null;
}

export interface CheckedDataset {
  readonly at: number;
  /** Why the job fails, or null. */
  readonly failure: string | null;
  readonly records: number;
  /** Tokens of one pass over the training file. */
  readonly tokensPerEpoch: number;
  readonly validationMs: number;
  readonly dataProcessingMs: number;
  readonly trainingMs: number;
}

export interface EpochLoss {
  readonly epoch: number;
  readonly step: number;
  readonly trainingLoss: number;
  readonly validationLoss: number | null;
}

export interface TrainedOutcome {
  readonly at: number;
  /** SHA-256 of the trained model: what its sampling is seeded with. */
  readonly digest: string;
  readonly metrics: readonly EpochLoss[];
}

export interface ModelRecord {
  readonly arn: string;
  readonly name: string;
  readonly jobArn: string;
  readonly baseModel: string;
  readonly digest: string;
  tags: Tags;
  readonly createdAt: number;
  deletedAt: number | null;
}

export interface ModelChange {
  readonly modelArn: string;
  readonly startedAt: number;
  readonly doneAt: number;
}

export interface DeploymentRecord {
  readonly arn: string;
  name: string;
  modelArn: string;
  readonly description: string | null;
  readonly token: string | null;
  readonly fingerprint: string;
  tags: Tags;
  readonly createdAt: number;
  readonly readyAt: number;
  change: ModelChange | null;
  deletedAt: number | null;
  /** When a deleted deployment is no longer seen. */
  goneAt: number | null;
}

export interface ThroughputRecord {
  readonly arn: string;
  name: string;
  /** A custom model's ARN, or a foundation model's. */
  modelArn: string;
  readonly baseModel: string;
  readonly modelUnits: number;
  readonly commitment: 'OneMonth' | 'SixMonths' | null;
  readonly commitmentEndsAt: number | null;
  readonly token: string | null;
  readonly fingerprint: string;
  tags: Tags;
  readonly createdAt: number;
  readonly readyAt: number;
  modifiedAt: number;
  change: ModelChange | null;
  deletedAt: number | null;
  /** When a deleted throughput is no longer seen. */
  goneAt: number | null;
}

export interface Usage {
  requests: number;
  inputTokens: number;
  outputTokens: number;
}
