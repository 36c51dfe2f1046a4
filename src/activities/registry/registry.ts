import type { Artifact } from '../../domain/artifact.js';
import type { DatasetManifest } from '../../domain/dataset.js';
import type { DeploymentReference } from '../../domain/deployment.js';
import type { Metrics, Verdict } from '../../domain/evaluation/evaluation.js';
import type { CheckResult } from '../../domain/evaluation/gate-policy.js';
import type { DeploymentAction, DeploymentEvent, ModelVersion } from '../../domain/model-version.js';
import type { ParityRow } from '../../domain/parity.js';
import type { TrainingJobDescription, TrainingJobRequest } from '../../domain/training-job.js';

/** Who writes: stamped on every row. */
export interface Author {
  readonly workflowId: string;
  readonly runId: string;
}

/**
 * The record of models, jobs, datasets and what served when. Every write is idempotent by its natural key,
 * so an activity that is tried again changes nothing.
 */
export interface Registry {
  /** Natural key: `manifest.sha256` and the workflow that built it. */
  recordDataset(author: Author, model: string, manifest: DatasetManifest): Promise<void>;

  /** Natural key: `request.jobName`. Updates status, losses and times on later calls. */
  recordTrainingJob(
    author: Author,
    model: string,
    request: Pick<TrainingJobRequest, 'provider' | 'jobName' | 'baseModel' | 'hyperparameters'>,
    jobId: string,
    description: TrainingJobDescription,
  ): Promise<void>;

  /**
   * Registers a trained model as the next version of `model`, or returns the version it already has.
   * Natural key: `modelName`. Versions count from 1 without gaps; concurrent calls never share one.
   */
  registerVersion(
    author: Author,
    version: Omit<
      ModelVersion,
      'version' | 'artifact' | 'status' | 'verdict' | 'reportUri' | 'deployment' | 'workflowId' | 'runId'
    >,
  ): Promise<ModelVersion>;

  /** Natural key: model and version; a later artifact takes the place of the one before. */
  recordArtifact(author: Author, model: string, version: number, artifact: Artifact): Promise<void>;

  /** Natural key: model, version and `deployment.deploymentId`; appends `deploy` to the history. */
  recordDeployment(
    author: Author,
    model: string,
    version: number,
    deployment: DeploymentReference & { usdPerHour: number },
  ): Promise<void>;

  /** Natural key: model, version and the workflow's run. */
  recordValidation(
    author: Author,
    model: string,
    version: number,
    validation: {
      verdict: Verdict;
      policy: string;
      samples: number;
      metrics: Metrics;
      checks: readonly CheckResult[];
      reportUri: string;
    },
  ): Promise<void>;

  /** Natural key: model, version, the workflow's run, and what was measured. A version that differs has failed. */
  recordParity(
    author: Author,
    model: string,
    version: number,
    parity: {
      /** The files it was converted to, or what a deployment of it answers. */
      measured: 'files' | 'served';
      verdict: Verdict;
      rows: readonly ParityRow[];
      reportUri: string;
    },
  ): Promise<void>;

  /**
   * Moves the alias `champion` in one transaction and appends to the history: the old champion becomes
   * `previous`. Promoting the champion again changes nothing. `expectedChampion`, where given, refuses with
   * `PermanentFailure('Conflict')` if somebody else moved the alias in the meantime. With
   * `inheritsDeployment` the old champion's deployment, which serves `version` by now, becomes its own.
   */
  promote(
    author: Author,
    move: {
      model: string;
      version: number;
      action: Extract<DeploymentAction, 'promote' | 'rollback'>;
      expectedChampion?: number | null;
      inheritsDeployment?: boolean;
      deployedBy: string;
      notes: string;
    },
  ): Promise<{ champion: number; previousChampion: number | null }>;

  /** Marks a version `rejected` (with its verdict) or `archived`, forgets its deployment, appends history. */
  retire(
    author: Author,
    retirement: { model: string; version: number; action: 'reject' | 'teardown'; notes: string },
  ): Promise<void>;

  /** Forgets the deployment of a version that keeps its model, and appends `undeploy` to the history. */
  forgetDeployment(author: Author, model: string, version: number, notes: string): Promise<void>;

  champion(model: string): Promise<ModelVersion | null>;
  version(model: string, version: number): Promise<ModelVersion | null>;
  versions(model: string): Promise<ModelVersion[]>;
  history(model: string): Promise<DeploymentEvent[]>;
  /** What served at a point in time; null when nothing did. */
  servedAt(model: string, at: Date): Promise<ModelVersion | null>;
}
