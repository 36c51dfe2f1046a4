import {
  ActivityCancellationType,
  type ActivityOptions,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { BudgetActivities } from '../activities/budgets/activities.js';
import type { ConversionActivities } from '../activities/conversion/activities.js';
import type { DatasetActivities } from '../activities/dataset/activities.js';
import type { DeploymentActivities } from '../activities/deployment/activities.js';
import type { InferenceActivities } from '../activities/inference/activities.js';
import type { LeaseActivities } from '../activities/leases/activities.js';
import type { ParityActivities, ServedParityActivities } from '../activities/parity/activities.js';
import type { RegistryActivities } from '../activities/registry/activities.js';
import type { RunSpecActivities } from '../activities/run-spec/activities.js';
import type { SweepActivities } from '../activities/sweep/activities.js';
import type { TrainingActivities } from '../activities/training/activities.js';
import type { ValidationActivities } from '../activities/validation/activities.js';
import { computeTaskQueue } from '../domain/task-queues.js';

/** Retried for as long as it takes, at most half a minute apart. */
const patiently: ActivityOptions['retry'] = {
  initialInterval: '500ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
};

/** A look that failed, for instance because its worker was stopped, is soon repeated. */
const promptly: ActivityOptions['retry'] = { ...patiently, maximumInterval: '5s' };

/** Reads and small writes to our own database: quick, safe to repeat, not worth tearing. */
const quick: ActivityOptions = {
  startToCloseTimeout: '15s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: patiently,
};

/** Creates: never torn from their result by a cancel. */
const purchase: ActivityOptions = {
  startToCloseTimeout: '30s',
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { ...patiently, maximumInterval: '10s' },
};

/**
 * A create that waits in line for room at its provider: it throws to be tried again. Cancelled between two
 * tries it ends at once; cancelled during one it ends with that one, so that nothing is created afterwards.
 */
const inLine = (deadlineMs: number): ActivityOptions => ({ ...purchase, scheduleToCloseTimeout: deadlineMs });

/** A look at something remote that throws to be retried; the deadline is the wait's whole budget. */
const poll = (deadlineMs: number): ActivityOptions => ({
  startToCloseTimeout: '60s',
  scheduleToCloseTimeout: deadlineMs,
  heartbeatTimeout: '5s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: promptly,
});

/** Work that our own worker does for minutes, heartbeating as it goes. */
const supervised = (deadlineMs: number): ActivityOptions => ({
  startToCloseTimeout: deadlineMs,
  scheduleToCloseTimeout: deadlineMs,
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: patiently,
});

/** Undos have no budget: they are tried until they succeed. */
const undo: ActivityOptions = {
  startToCloseTimeout: '30s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '15s' },
};

export const runSpecs = (summary: string) => proxyActivities<RunSpecActivities>({ ...quick, summary });
export const budgets = (summary: string) => proxyActivities<BudgetActivities>({ ...quick, summary });
export const datasets = (summary: string) =>
  proxyActivities<DatasetActivities>({ ...supervised(3_600_000), summary });
export const training = (summary: string) => proxyActivities<TrainingActivities>({ ...quick, summary });
export const trainingPurchase = (summary: string, deadlineMs: number) =>
  proxyActivities<TrainingActivities>({ ...inLine(deadlineMs), summary });
export const trainingPoll = (summary: string, deadlineMs: number) =>
  proxyActivities<TrainingActivities>({ ...poll(deadlineMs), summary });
/** Minutes of a whole machine: in the compute queue, which bounds how many there are at once. */
export const compute = (summary: string, deadlineMs: number, queueMs: number) =>
  proxyActivities<ConversionActivities & ParityActivities>({
    ...supervised(deadlineMs),
    taskQueue: computeTaskQueue(workflowInfo().taskQueue),
    scheduleToCloseTimeout: queueMs + deadlineMs,
    summary,
  });
export const deployments = (summary: string) => proxyActivities<DeploymentActivities>({ ...quick, summary });
export const deploymentPurchase = (summary: string, deadlineMs: number) =>
  proxyActivities<DeploymentActivities>({ ...inLine(deadlineMs), summary });
/** One question to a deployment that is there already: some minutes, then the caller says no. */
export const deploymentAnswer = (summary: string) =>
  proxyActivities<DeploymentActivities>({ ...quick, scheduleToCloseTimeout: '10m', summary });
/** Swaps, and taking them back: the champion's own deployment is at stake, so they are never given up. */
export const deploymentSwap = (summary: string) =>
  proxyActivities<DeploymentActivities>({ ...undo, heartbeatTimeout: '10s', summary });
export const deploymentPoll = (summary: string, deadlineMs: number) =>
  proxyActivities<DeploymentActivities>({ ...poll(deadlineMs), summary });
export const validation = (summary: string, deadlineMs: number) =>
  proxyActivities<ValidationActivities & ServedParityActivities>({ ...supervised(deadlineMs), summary });
export const registry = (summary: string) => proxyActivities<RegistryActivities>({ ...quick, summary });
export const leases = (summary: string) => proxyActivities<LeaseActivities>({ ...quick, summary });
/** Waits for another run, however long it takes. */
export const leaseWait = (summary: string) =>
  proxyActivities<LeaseActivities>({
    startToCloseTimeout: '60s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: patiently,
    summary,
  });
/** Waits until the lease has deleted its resource, however long that takes. */
export const leaseReleases = (summary: string) =>
  proxyActivities<LeaseActivities>({ ...undo, startToCloseTimeout: '10m', heartbeatTimeout: '10s', summary });

export const leaseActivities = proxyActivities<LeaseActivities>({
  ...quick,
  summary: 'Does a model still need it?',
});
export const leaseWatch = proxyActivities<LeaseActivities>({
  startToCloseTimeout: '60s',
  heartbeatTimeout: '5s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: promptly,
  summary: 'Watch the holder',
});
export const removal = proxyActivities<LeaseActivities>({
  ...undo,
  summary: 'Delete what the lease protects',
});

/** Points a champion's deployment back at its champion; what takes longer is left to the next sweep. */
export const championRestore = (summary: string) =>
  proxyActivities<LeaseActivities>({
    ...undo,
    scheduleToCloseTimeout: '15m',
    heartbeatTimeout: '10s',
    summary,
  });

/** One page of a sweep's look at cloud, files, registry or leases; an hour of obstacles, then it fails. */
export const sweepLook = (summary: string) =>
  proxyActivities<SweepActivities>({
    startToCloseTimeout: '10m',
    scheduleToCloseTimeout: '1h',
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: patiently,
    summary,
  });
/** What a sweep deletes or puts right; safe to repeat. */
export const sweepWork = (summary: string) =>
  proxyActivities<SweepActivities>({ ...supervised(3_600_000), startToCloseTimeout: '10m', summary });

/** Pure functions with recorded results: scoring before the model call, assembly and checks after it. */
export const inferenceSteps = proxyLocalActivities<InferenceActivities>({
  startToCloseTimeout: '5s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { maximumAttempts: 3 },
});
/** Starts a workflow; the answer does not wait for what it does. */
export const waking = proxyActivities<InferenceActivities>({
  startToCloseTimeout: '4s',
  scheduleToCloseTimeout: '5s',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { maximumAttempts: 3, initialInterval: '200ms' },
  summary: 'Wake the champion',
});
/** The one model call: its own budget, tried once; what follows a failure is the phrase bank, not a retry. */
export const modelCall = (summary: string, seconds: number) =>
  proxyActivities<InferenceActivities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: (seconds + 1) * 1000,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { maximumAttempts: 1 },
    summary,
  });
