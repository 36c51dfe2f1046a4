import type {
  CheckedDataset,
  DeploymentRecord,
  JobDoom,
  JobRecord,
  ModelChange,
  ModelRecord,
  Tags,
  ThroughputRecord,
  TrainedOutcome,
} from './bedrock/records.js';
import type { Interruption, ProgramEnd, TrainingJobRecord } from './sagemaker/records.js';
import type { ObjectRecord, PartRecord, UploadRecord } from './storage/records.js';

/** Everything that can happen to a sandbox, as the journal stores it. `at` is sandbox time. */
export type SandboxEvent = { readonly at: number } & (
  | { readonly type: 'job.created'; readonly job: JobRecord }
  | { readonly type: 'job.checked'; readonly arn: string; readonly checked: CheckedDataset }
  | { readonly type: 'job.trained'; readonly arn: string; readonly trained: TrainedOutcome }
  | { readonly type: 'job.learnerFailed'; readonly arn: string; readonly message: string }
  | { readonly type: 'job.doomed'; readonly arn: string; readonly doom: JobDoom }
  | { readonly type: 'job.stopRequested'; readonly arn: string }
  | {
      readonly type: 'job.settled';
      readonly arn: string;
      readonly status: 'Completed' | 'Failed' | 'Stopped';
      readonly usd: number;
      readonly failureMessage: string | null;
    }
  | { readonly type: 'trainingJob.created'; readonly job: TrainingJobRecord }
  | {
      readonly type: 'trainingJob.doomed';
      readonly arn: string;
      readonly doom: TrainingJobRecord['doom'];
    }
  | {
      readonly type: 'trainingJob.interrupted';
      readonly arn: string;
      readonly interruption: Interruption;
    }
  | { readonly type: 'trainingJob.stopRequested'; readonly arn: string }
  | { readonly type: 'trainingJob.ended'; readonly arn: string; readonly ended: ProgramEnd }
  | {
      readonly type: 'trainingJob.settled';
      readonly arn: string;
      readonly status: string;
      readonly usd: number;
      readonly billableSeconds: number;
      readonly hasArtifact: boolean;
      readonly note: string;
    }
  | { readonly type: 'model.created'; readonly model: ModelRecord; readonly usdPerHour: number }
  | { readonly type: 'model.deleted'; readonly arn: string }
  | {
      readonly type: 'deployment.created';
      readonly deployment: DeploymentRecord;
      readonly usdPerHour: number;
    }
  | { readonly type: 'deployment.updated'; readonly arn: string; readonly change: ModelChange }
  | { readonly type: 'deployment.deleted'; readonly arn: string; readonly goneAt: number }
  | {
      readonly type: 'throughput.created';
      readonly throughput: ThroughputRecord;
      readonly usdPerHour: number;
    }
  | {
      readonly type: 'throughput.updated';
      readonly arn: string;
      readonly name: string | null;
      readonly change: ModelChange | null;
    }
  | { readonly type: 'throughput.deleted'; readonly arn: string; readonly goneAt: number }
  | { readonly type: 'tags.set'; readonly arn: string; readonly tags: Tags }
  | {
      readonly type: 'invoked';
      /** The deployment, throughput or base model that was asked. */
      readonly resource: string;
      readonly baseModel: string;
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly usd: number;
    }
  | { readonly type: 'bucket.created'; readonly bucket: string; readonly region: string }
  | { readonly type: 'bucket.deleted'; readonly bucket: string }
  | {
      readonly type: 'object.put';
      readonly bucket: string;
      readonly key: string;
      readonly object: ObjectRecord;
    }
  | { readonly type: 'object.deleted'; readonly bucket: string; readonly key: string }
  | { readonly type: 'upload.created'; readonly upload: UploadRecord }
  | { readonly type: 'upload.part'; readonly uploadId: string; readonly part: PartRecord }
  | {
      readonly type: 'upload.completed';
      readonly uploadId: string;
      readonly object: ObjectRecord;
    }
  | { readonly type: 'upload.aborted'; readonly uploadId: string }
);
