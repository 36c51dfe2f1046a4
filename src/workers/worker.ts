import { existsSync } from 'node:fs';
import {
  type NativeConnection,
  Worker,
  type WorkerInterceptors,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createBudgetActivities } from '../activities/budgets/activities.js';
import { createConversionActivities } from '../activities/conversion/activities.js';
import { createDatasetActivities } from '../activities/dataset/activities.js';
import { createDeploymentActivities } from '../activities/deployment/activities.js';
import { createInferenceActivities } from '../activities/inference/activities.js';
import { createLeaseActivities } from '../activities/leases/activities.js';
import { createParityActivities, createServedParityActivities } from '../activities/parity/activities.js';
import { createRegistryActivities } from '../activities/registry/activities.js';
import { createRunSpecActivities } from '../activities/run-spec/activities.js';
import { createSweepActivities } from '../activities/sweep/activities.js';
import { createTrainingActivities } from '../activities/training/activities.js';
import { createValidationActivities } from '../activities/validation/activities.js';
import { computeTaskQueue } from '../domain/task-queues.js';
import { workflowsPath } from './bundle.js';
import type { Dependencies } from './dependencies.js';
import { FailureInterceptor } from './failure-interceptor.js';

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Path of a prebuilt bundle; the workflows are bundled at start (seconds) where it is missing. */
  readonly bundlePath: string | null;
  /** Stand around our own. */
  readonly interceptors?: Pick<WorkerInterceptors, 'activity' | 'client'>;
}

/** What workflows and light activities need, by name; names are unique across capabilities. */
export function createActivities(dependencies: Dependencies) {
  return {
    ...createRunSpecActivities(dependencies),
    ...createBudgetActivities(dependencies),
    ...createDatasetActivities(dependencies),
    ...createTrainingActivities(dependencies),
    ...createDeploymentActivities(dependencies),
    ...createInferenceActivities(dependencies),
    ...createServedParityActivities(dependencies),
    ...createValidationActivities(dependencies),
    ...createRegistryActivities(dependencies),
    ...createLeaseActivities(dependencies),
    ...createSweepActivities(dependencies),
  };
}

/** What takes whole processors and gigabytes: it waits in a queue of its own. */
export function createComputeActivities(dependencies: Dependencies) {
  return { ...createConversionActivities(dependencies), ...createParityActivities(dependencies) };
}

/** Both workers of a process: one that polls the task queue, one that polls the compute queue beside it. */
export async function createWorkers(dependencies: Dependencies, settings: WorkerSettings): Promise<Worker[]> {
  return Promise.all([createWorker(dependencies, settings), createComputeWorker(dependencies, settings)]);
}

async function createWorker(dependencies: Dependencies, settings: WorkerSettings): Promise<Worker> {
  const { connection, namespace, taskQueue, bundlePath, interceptors } = settings;
  const workflows: { workflowBundle: WorkflowBundleOption } | { workflowsPath: string } =
    bundlePath && existsSync(bundlePath) ? { workflowBundle: { codePath: bundlePath } } : { workflowsPath };
  return Worker.create({
    ...workflows,
    connection,
    namespace,
    taskQueue,
    activities: createActivities(dependencies),
    interceptors: withFailures(dependencies, interceptors),
    maxConcurrentActivityTaskExecutions: 50,
    maxCachedWorkflows: 200,
    // How long tasks of a killed worker wait for it before another one gets them.
    stickyQueueScheduleToStartTimeout: '2s',
    ...lifetime,
  });
}

function createComputeWorker(dependencies: Dependencies, settings: WorkerSettings): Promise<Worker> {
  const { connection, namespace, taskQueue, interceptors } = settings;
  return Worker.create({
    connection,
    namespace,
    taskQueue: computeTaskQueue(taskQueue),
    activities: createComputeActivities(dependencies),
    interceptors: withFailures(dependencies, interceptors),
    maxConcurrentActivityTaskExecutions: dependencies.computeActivities,
    ...lifetime,
  });
}

const lifetime = {
  shutdownGraceTime: '5s',
  maxHeartbeatThrottleInterval: '2s',
  defaultHeartbeatThrottleInterval: '2s',
} as const;

function withFailures(
  { waiting }: Dependencies,
  interceptors: WorkerSettings['interceptors'],
): WorkerInterceptors {
  return {
    ...interceptors,
    activity: [...(interceptors?.activity ?? []), () => ({ inbound: new FailureInterceptor(waiting) })],
  };
}
