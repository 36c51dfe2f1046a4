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
import { createRegistryActivities } from '../activities/registry/activities.js';
import { createRunSpecActivities } from '../activities/run-spec/activities.js';
import { createSweepActivities } from '../activities/sweep/activities.js';
import { createTrainingActivities } from '../activities/training/activities.js';
import { createValidationActivities } from '../activities/validation/activities.js';
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

/** Every activity by its name; names are unique across capabilities. */
export function createActivities(dependencies: Dependencies) {
  return {
    ...createRunSpecActivities(dependencies),
    ...createBudgetActivities(dependencies),
    ...createDatasetActivities(dependencies),
    ...createTrainingActivities(dependencies),
    ...createConversionActivities(dependencies),
    ...createDeploymentActivities(dependencies),
    ...createInferenceActivities(dependencies),
    ...createValidationActivities(dependencies),
    ...createRegistryActivities(dependencies),
    ...createLeaseActivities(dependencies),
    ...createSweepActivities(dependencies),
  };
}

export async function createWorker(dependencies: Dependencies, settings: WorkerSettings): Promise<Worker> {
  const { connection, namespace, taskQueue, bundlePath, interceptors } = settings;
  const workflows: { workflowBundle: WorkflowBundleOption } | { workflowsPath: string } =
    bundlePath && existsSync(bundlePath) ? { workflowBundle: { codePath: bundlePath } } : { workflowsPath };
  return Worker.create({
    ...workflows,
    connection,
    namespace,
    taskQueue,
    activities: createActivities(dependencies),
    interceptors: {
      ...interceptors,
      activity: [
        ...(interceptors?.activity ?? []),
        () => ({ inbound: new FailureInterceptor(dependencies.waiting) }),
      ],
    },
    maxConcurrentActivityTaskExecutions: 50,
    maxCachedWorkflows: 200,
    // How long tasks of a killed worker wait for it before another one gets them.
    stickyQueueScheduleToStartTimeout: '2s',
    shutdownGraceTime: '5s',
    maxHeartbeatThrottleInterval: '2s',
    defaultHeartbeatThrottleInterval: '2s',
  });
}
