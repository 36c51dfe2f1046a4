import type {
  DeploymentRecord,
  JobRecord,
  ModelRecord,
  Tags,
  ThroughputRecord,
  Usage,
} from './bedrock/records.js';
import type { SandboxEvent } from './events.js';
import { type LedgerEntry, toLedgerEntry } from './ledger.js';
import type { SandboxReadings } from './readings.js';
import type { TrainingJobRecord } from './sagemaker/records.js';
import { applyTrainingJobEvent } from './sagemaker/state.js';
import type { BucketRecord, UploadState } from './storage/records.js';
import { applyStorageEvent } from './storage/state.js';

/** Everything the sandbox knows, rebuilt from the journal at each start. */
export interface State {
  readonly jobs: Map<string, JobRecord>;
  /** SageMaker's, by ARN. */
  readonly trainingJobs: Map<string, TrainingJobRecord>;
  readonly models: Map<string, ModelRecord>;
  readonly deployments: Map<string, DeploymentRecord>;
  readonly throughputs: Map<string, ThroughputRecord>;
  readonly buckets: Map<string, BucketRecord>;
  readonly uploads: Map<string, UploadState>;
  /** By deployment, throughput or base model. */
  readonly usage: Map<string, Usage & { usd: number }>;
  readonly ledger: LedgerEntry[];
  /** How hours are counted; see assumption 19. */
  readonly billing: BillingReadings;
}

export type BillingReadings = Pick<SandboxReadings, 'billedHours' | 'billedCreation'>;

export function emptyState(billing: BillingReadings): State {
  return {
    jobs: new Map(),
    trainingJobs: new Map(),
    models: new Map(),
    deployments: new Map(),
    throughputs: new Map(),
    buckets: new Map(),
    uploads: new Map(),
    usage: new Map(),
    ledger: [],
    billing,
  };
}

/** Applies one event; the same for a new event and for one from the journal. */
export function applyEvent(state: State, event: SandboxEvent): void {
  const entry = toLedgerEntry(event, state);
  if (entry) state.ledger.push(entry);
  applyJobEvent(state, event);
  applyTrainingJobEvent(state.trainingJobs, event);
  applyServingEvent(state, event);
  applyStorageEvent(state, event);
  if (event.type === 'tags.set') setTags(state, event);
  if (event.type === 'invoked') {
    const usage = state.usage.get(event.resource) ?? { requests: 0, inputTokens: 0, outputTokens: 0, usd: 0 };
    usage.requests += 1;
    usage.inputTokens += event.inputTokens;
    usage.outputTokens += event.outputTokens;
    usage.usd += event.usd;
    state.usage.set(event.resource, usage);
  }
}

function applyJobEvent(state: State, event: SandboxEvent): void {
  if (event.type === 'job.created') {
    state.jobs.set(event.job.arn, structuredClone(event.job));
    return;
  }
  if (event.type === 'model.created') {
    state.models.set(event.model.arn, structuredClone(event.model));
    return;
  }
  if (event.type === 'model.deleted') {
    const model = state.models.get(event.arn);
    if (model) model.deletedAt = event.at;
    return;
  }
  if (!event.type.startsWith('job.')) return;
  const job = 'arn' in event ? state.jobs.get(event.arn) : undefined;
  if (!job) return;
  if (event.type === 'job.checked') job.checked = event.checked;
  if (event.type === 'job.trained') job.trained = event.trained;
  if (event.type === 'job.learnerFailed') job.learnerFailure = { at: event.at, message: event.message };
  if (event.type === 'job.doomed') job.doom = event.doom;
  if (event.type === 'job.stopRequested') job.stopRequestedAt = event.at;
  if (event.type === 'job.settled') {
    const { at, status, failureMessage } = event;
    job.settled = { at, status, failureMessage };
  }
}

function applyServingEvent(state: State, event: SandboxEvent): void {
  switch (event.type) {
    case 'deployment.created':
      state.deployments.set(event.deployment.arn, structuredClone(event.deployment));
      return;
    case 'throughput.created':
      state.throughputs.set(event.throughput.arn, structuredClone(event.throughput));
      return;
    case 'deployment.updated': {
      const deployment = state.deployments.get(event.arn);
      if (!deployment) return;
      deployment.modelArn = servedModelArn(deployment, event.at);
      deployment.change = event.change;
      return;
    }
    case 'deployment.deleted': {
      const deployment = state.deployments.get(event.arn);
      if (!deployment) return;
      deployment.deletedAt = event.at;
      deployment.goneAt = event.goneAt;
      return;
    }
    case 'throughput.updated': {
      const throughput = state.throughputs.get(event.arn);
      if (!throughput) return;
      throughput.modelArn = servedModelArn(throughput, event.at);
      if (event.change) throughput.change = event.change;
      if (event.name) throughput.name = event.name;
      throughput.modifiedAt = event.at;
      return;
    }
    case 'throughput.deleted': {
      const throughput = state.throughputs.get(event.arn);
      if (!throughput) return;
      throughput.deletedAt = event.at;
      throughput.goneAt = event.goneAt;
    }
  }
}

/** The model that answers at a time: the new one once an update is through. */
export function servedModelArn(served: DeploymentRecord | ThroughputRecord, at: number): string {
  return served.change && at >= served.change.doneAt ? served.change.modelArn : served.modelArn;
}

/** Whether a deployment or throughput is there, or is still seen after its deletion. */
export function isVisible(
  { deletedAt, goneAt }: Pick<DeploymentRecord, 'deletedAt' | 'goneAt'>,
  at: number,
): boolean {
  return deletedAt === null || (goneAt !== null && at < goneAt);
}

/** What bears an ARN and can bear tags, at a time; null when there is nothing. */
export function findTagged(state: State, arn: string, at: number): { tags: Tags } | null {
  const model = state.models.get(arn);
  const deployment = state.deployments.get(arn);
  const throughput = state.throughputs.get(arn);
  if (model) return model.deletedAt === null ? model : null;
  if (deployment) return isVisible(deployment, at) ? deployment : null;
  if (throughput) return isVisible(throughput, at) ? throughput : null;
  return state.jobs.get(arn) ?? state.trainingJobs.get(arn) ?? null;
}

function setTags(state: State, { arn, tags, at }: { arn: string; tags: Tags; at: number }): void {
  const tagged = findTagged(state, arn, at);
  if (tagged) tagged.tags = tags;
}
