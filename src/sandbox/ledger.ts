import type { Tags } from './bedrock/records.js';
import type { SandboxEvent } from './events.js';
import type { State } from './state.js';

export type ResourceKind = 'trainingJob' | 'customModel' | 'deployment' | 'provisionedThroughput' | 'bucket';

/** One line of the ledger: something that began, changed or ended, and what it costs. */
export interface LedgerEntry {
  readonly sequence: number;
  /** Sandbox time, ISO 8601. */
  readonly at: string;
  readonly action: 'create' | 'update' | 'stop' | 'complete' | 'fail' | 'delete';
  readonly kind: ResourceKind;
  readonly name: string;
  /** An ARN; for a bucket its name. */
  readonly resource: string;
  readonly tags: Tags;
  readonly clientRequestToken: string | null;
  /** What it costs from now on, for as long as it exists. */
  readonly usdPerHour: number;
  /** At a delete: hours since creation; at a SageMaker job's end: the hours of its machine. */
  readonly hoursBilled: number | null;
  /** What this event cost or closed: a job's training, a deleted resource's hours. */
  readonly usd: number | null;
  readonly note: string | null;
}

type Line = Omit<
  LedgerEntry,
  'sequence' | 'at' | 'tags' | 'clientRequestToken' | 'usdPerHour' | 'hoursBilled' | 'usd' | 'note'
> &
  Partial<LedgerEntry>;

/** The ledger's line for an event, seen before the event is applied; null for events that cost nothing. */
export function toLedgerEntry(event: SandboxEvent, state: State): LedgerEntry | null {
  const line =
    jobLine(event, state) ?? trainingJobLine(event, state) ?? servingLine(event, state) ?? bucketLine(event);
  if (!line) return null;
  return {
    sequence: state.ledger.length + 1,
    at: new Date(event.at).toISOString(),
    tags: {},
    clientRequestToken: null,
    usdPerHour: 0,
    hoursBilled: null,
    usd: null,
    note: null,
    ...line,
  };
}

function jobLine(event: SandboxEvent, state: State): Line | null {
  switch (event.type) {
    case 'job.created': {
      const { jobName, arn, tags, token } = event.job;
      return {
        action: 'create',
        kind: 'trainingJob',
        name: jobName,
        resource: arn,
        tags,
        clientRequestToken: token,
      };
    }
    case 'job.stopRequested':
    case 'job.settled': {
      const job = state.jobs.get(event.arn);
      if (!job) return null;
      const base = { kind: 'trainingJob', name: job.jobName, resource: job.arn, tags: job.tags } as const;
      if (event.type === 'job.stopRequested') return { ...base, action: 'stop', note: 'asked to stop' };
      const action = { Completed: 'complete', Failed: 'fail', Stopped: 'stop' } as const;
      return {
        ...base,
        action: action[event.status],
        usd: event.usd,
        note: event.failureMessage ?? event.status,
      };
    }
    case 'model.created': {
      const { name, arn, tags } = event.model;
      return {
        action: 'create',
        kind: 'customModel',
        name,
        resource: arn,
        tags,
        usdPerHour: event.usdPerHour,
      };
    }
    case 'model.deleted': {
      const model = state.models.get(event.arn);
      return model ? { action: 'delete', kind: 'customModel', ...closing(model, event.at, state) } : null;
    }
    default:
      return null;
  }
}

function trainingJobLine(event: SandboxEvent, state: State): Line | null {
  if (event.type === 'trainingJob.created') {
    const { name, arn, tags } = event.job;
    return { action: 'create', kind: 'trainingJob', name, resource: arn, tags };
  }
  if (event.type !== 'trainingJob.stopRequested' && event.type !== 'trainingJob.settled') return null;
  const job = state.trainingJobs.get(event.arn);
  if (!job) return null;
  const base = { kind: 'trainingJob', name: job.name, resource: job.arn, tags: job.tags } as const;
  if (event.type === 'trainingJob.stopRequested') return { ...base, action: 'stop', note: 'asked to stop' };
  const { status, usd, billableSeconds, note } = event;
  const action = status === 'Completed' ? 'complete' : status === 'Failed' ? 'fail' : 'stop';
  return { ...base, action, usd, hoursBilled: billableSeconds / 3600, note };
}

function servingLine(event: SandboxEvent, state: State): Line | null {
  switch (event.type) {
    case 'deployment.created':
    case 'throughput.created': {
      const record = event.type === 'deployment.created' ? event.deployment : event.throughput;
      return {
        action: 'create',
        kind: event.type === 'deployment.created' ? 'deployment' : 'provisionedThroughput',
        name: record.name,
        resource: record.arn,
        tags: record.tags,
        clientRequestToken: record.token,
        usdPerHour: event.usdPerHour,
      };
    }
    case 'deployment.updated':
    case 'throughput.updated': {
      const record = state.deployments.get(event.arn) ?? state.throughputs.get(event.arn);
      if (!record) return null;
      return {
        action: 'update',
        kind: event.type === 'deployment.updated' ? 'deployment' : 'provisionedThroughput',
        name: record.name,
        resource: record.arn,
        tags: record.tags,
        usdPerHour: createdPrice(state, record.arn),
        note: event.change ? `to ${event.change.modelArn}` : 'renamed',
      };
    }
    case 'deployment.deleted': {
      const record = state.deployments.get(event.arn);
      return record ? { action: 'delete', kind: 'deployment', ...closing(record, event.at, state) } : null;
    }
    case 'throughput.deleted': {
      const record = state.throughputs.get(event.arn);
      return record
        ? { action: 'delete', kind: 'provisionedThroughput', ...closing(record, event.at, state) }
        : null;
    }
    default:
      return null;
  }
}

function bucketLine(event: SandboxEvent): Line | null {
  if (event.type !== 'bucket.created' && event.type !== 'bucket.deleted') return null;
  return {
    action: event.type === 'bucket.created' ? 'create' : 'delete',
    kind: 'bucket',
    name: event.bucket,
    resource: event.bucket,
  };
}

function closing(
  record: Billed & { readonly name: string; readonly arn: string; readonly tags: Tags },
  at: number,
  state: State,
) {
  const hoursBilled = billedHours(state, record, at);
  return {
    name: record.name,
    resource: record.arn,
    tags: record.tags,
    hoursBilled,
    usd: hoursBilled * createdPrice(state, record.arn),
  };
}

/** The price per hour that a resource was created at; what it was sold for stays, also when prices change. */
export function createdPrice(state: State, resource: string): number {
  return (
    state.ledger.find((entry) => entry.action === 'create' && entry.resource === resource)?.usdPerHour ?? 0
  );
}

interface Billed {
  readonly createdAt: number;
  /** When a deployment or throughput is in service; a model has none. */
  readonly readyAt?: number;
}

/** The hours that something has cost until a time, as the readings count them; see assumption 19. */
export function billedHours({ billing }: State, { createdAt, readyAt }: Billed, until: number): number {
  if (readyAt === undefined) return hoursBetween(createdAt, until);
  const hours = hoursBetween(billing.billedCreation === 'free' ? readyAt : createdAt, until);
  return billing.billedHours === 'rounded-up' ? Math.ceil(hours) : hours;
}

export function hoursBetween(from: number, to: number): number {
  return Math.max(0, to - from) / 3_600_000;
}
