import { z } from 'zod';

/** What a lease protects. `model` is the run lock: one lifecycle per model at a time. */
export type LeasedKind = 'model' | 'training-job' | 'deployment';

/** Enough to find and delete the resource again without its creator. */
export interface LeasedResource {
  readonly kind: LeasedKind;
  /** The provider or target that can delete it; empty for the run lock. */
  readonly provider: string;
  readonly name: string;
  /** The registered model it serves or will serve. */
  readonly model: string;
  readonly usdPerHour: number;
  /** Prefix of the files that go with it; null where there are none. */
  readonly filesUri: string | null;
}

/** A running workflow that answers for a resource. `firstRunId` survives reset; a reused ID differs. */
export interface WorkflowHolder {
  readonly kind: 'workflow';
  readonly workflowId: string;
  readonly firstRunId: string;
  /**
   * Hours after which the resource goes although this workflow still runs: one that hangs would pay for ever.
   * Counted from each `acquire`, and moved by `extend`.
   */
  readonly holdHours?: number;
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
  /** ISO-8601; null while a model version holds it, which has no end. */
  readonly expiresAt: string | null;
}

export interface LeaseResourceInput {
  readonly resource: LeasedResource;
  /** Longer than any create can be under way after its run has gone. */
  readonly lookAgainSeconds: number;
  /** What a lease that continues as new carries over; null at the start. */
  readonly held: { readonly holder: LeaseHolder; readonly expiresAtMs: number | null } | null;
}

/** Moves the end of a lease; `hours` from now. */
export interface Extension {
  readonly hours: number;
}

export const extensionSchema = z.strictObject({
  hours: z
    .number()
    .positive()
    .max(24 * 366),
});

export const leaseResourceInputSchema = z.strictObject({
  resource: z.strictObject({
    kind: z.enum(['model', 'training-job', 'deployment']),
    provider: z.string(),
    name: z.string().min(1),
    model: z.string().min(1),
    usdPerHour: z.number().nonnegative(),
    filesUri: z.string().nullable(),
  }),
  lookAgainSeconds: z.number().nonnegative().default(45),
  held: z
    .strictObject({ holder: z.lazy(() => leaseHolderSchema), expiresAtMs: z.number().nullable() })
    .nullable()
    .default(null),
});

export const leaseHolderSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('workflow'),
    workflowId: z.string().min(1),
    firstRunId: z.string().min(1),
    holdHours: z.number().positive().optional(),
  }),
  z.strictObject({
    kind: z.literal('model-version'),
    model: z.string().min(1),
    version: z.number().int().positive(),
  }),
]);

export const handOverSchema = z.strictObject({ from: leaseHolderSchema, to: leaseHolderSchema });

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

/** The lease on a training job: also on the model it makes and on the files it writes. */
export function trainingJobLease(input: {
  provider: string;
  jobName: string;
  model: string;
  storageUsdPerHour: number;
  filesUri: string;
}): LeasedResource {
  return {
    kind: 'training-job',
    provider: input.provider,
    name: input.jobName,
    model: input.model,
    usdPerHour: input.storageUsdPerHour,
    filesUri: input.filesUri,
  };
}

export function deploymentLease(input: {
  target: string;
  name: string;
  model: string;
  usdPerHour: number;
}): LeasedResource {
  return {
    kind: 'deployment',
    provider: input.target,
    name: input.name,
    model: input.model,
    usdPerHour: input.usdPerHour,
    filesUri: null,
  };
}

/** One lifecycle per model at a time. */
export function modelLock(model: string): LeasedResource {
  return { kind: 'model', provider: '', name: model, model, usdPerHour: 0, filesUri: null };
}
