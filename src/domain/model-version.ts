import type { Artifact } from './artifact.js';
import type { DeploymentReference } from './deployment.js';
import type { Verdict } from './evaluation/evaluation.js';

/** `candidate` until judged; `archived` once its model or deployment is gone. */
export const modelVersionStatuses = ['candidate', 'champion', 'previous', 'rejected', 'archived'] as const;
export type ModelVersionStatus = (typeof modelVersionStatuses)[number];

/** A trained model as the registry knows it. Rows never leave `activities/registry`; this does. */
export interface ModelVersion {
  readonly model: string;
  readonly version: number;
  readonly recipe: string;
  readonly provider: string;
  readonly baseModel: string;
  /** The name under which the provider keeps the trained model, and its identifier there. */
  readonly modelName: string;
  readonly modelId: string;
  readonly jobName: string;
  readonly datasetSha256: string;
  readonly datasetManifestUri: string;
  /** Equal fingerprints mean: trained on the same data in the same way; see `fingerprint.ts`. */
  readonly fingerprint: string;
  /** The file that the model was converted to; null where none was needed, or not yet. */
  readonly artifact: Artifact | null;
  readonly status: ModelVersionStatus;
  readonly verdict: Verdict | null;
  readonly reportUri: string | null;
  readonly deployment: (DeploymentReference & { readonly usdPerHour: number }) | null;
  readonly workflowId: string;
  readonly runId: string;
}

export const deploymentActions = ['deploy', 'undeploy', 'promote', 'reject', 'rollback', 'teardown'] as const;
export type DeploymentAction = (typeof deploymentActions)[number];

/** One line of the append-only history that answers "what served at time T, and why". */
export interface DeploymentEvent {
  readonly model: string;
  readonly version: number;
  readonly action: DeploymentAction;
  readonly previousVersion: number | null;
  readonly deploymentId: string | null;
  readonly deployedBy: string;
  readonly notes: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly at: string;
}
