/** What a lease protects. `model` is the run lock: one lifecycle per model at a time. */
export type LeasedKind = 'model' | 'training-job' | 'deployment';

/** Enough to find and delete the resource again without its creator. */
export interface LeasedResource {
  readonly kind: LeasedKind;
  /** The provider or target that can delete it; empty for the run lock. */
  readonly provider: string;
  readonly name: string;
  readonly usdPerHour: number;
}

/** A running workflow that answers for a resource. `firstRunId` survives reset; a reused ID differs. */
export interface WorkflowHolder {
  readonly kind: 'workflow';
  readonly workflowId: string;
  readonly firstRunId: string;
}

/** A registered model version that keeps its resource until it is replaced, rolled back or torn down. */
export interface ModelHolder {
  readonly kind: 'model-version';
  readonly model: string;
  readonly version: number;
}

export type LeaseHolder = WorkflowHolder | ModelHolder;

export type LeaseState = 'vacant' | 'held' | 'releasing' | 'released';

export interface LeaseView {
  readonly resource: LeasedResource;
  readonly holder: LeaseHolder | null;
  readonly state: LeaseState;
}

export interface LeaseResourceInput {
  readonly resource: LeasedResource;
  /** How long the lease waits between looks at its holder. */
  readonly watchIntervalSeconds: number;
}

export function leaseWorkflowId(resource: Pick<LeasedResource, 'kind' | 'name'>): string {
  return `lease/${resource.kind}/${resource.name}`;
}

export function describeHolder(holder: LeaseHolder): string {
  return holder.kind === 'workflow'
    ? `workflow ${holder.workflowId}`
    : `model ${holder.model} version ${holder.version}`;
}

export function sameHolder(a: LeaseHolder, b: LeaseHolder): boolean {
  if (a.kind === 'workflow' && b.kind === 'workflow') {
    return a.workflowId === b.workflowId && a.firstRunId === b.firstRunId;
  }
  if (a.kind === 'model-version' && b.kind === 'model-version') {
    return a.model === b.model && a.version === b.version;
  }
  return false;
}
