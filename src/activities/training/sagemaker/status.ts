import type {
  DescribeTrainingJobResponse,
  TrainingJobStatus as SageMakerStatus,
  SecondaryStatus,
} from '@aws-sdk/client-sagemaker';
import type { TrainingJobStatus } from '../../../domain/training-job.js';

type Statuses = Pick<DescribeTrainingJobResponse, 'TrainingJobStatus' | 'SecondaryStatus'>;

/**
 * SageMaker's statuses in our words. `Stopped` says that somebody stopped the job, or that it ran into one of its own
 * limits: what a limit cut off is not what was asked for, so that it has failed. AWS may add statuses: an unknown one
 * counts as running, so that the wait goes on with the raw status in view.
 */
export function mapSageMakerStatus({
  TrainingJobStatus: primary,
  SecondaryStatus: secondary,
}: Statuses): TrainingJobStatus {
  const status = primary as SageMakerStatus | undefined;
  switch (status) {
    case 'InProgress':
      return isWaitingForMachine(secondary) ? 'pending' : 'running';
    case 'Stopping':
    case 'Deleting':
      return 'stopping';
    case 'Completed':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Stopped':
      return limitOf(secondary) === null ? 'cancelled' : 'failed';
    default:
      // Fails to compile when a new version of the client knows a status that is not handled above.
      status satisfies undefined;
      return 'running';
  }
}

function isWaitingForMachine(secondary: SecondaryStatus | undefined): boolean {
  return secondary === 'Pending' || secondary === 'Interrupted';
}

/** Which setting ended a stopped job; null when a person or a program did. */
export function limitOf(
  secondary: SecondaryStatus | undefined,
): 'maximumMinutes' | 'maximumWaitMinutes' | null {
  if (secondary === 'MaxRuntimeExceeded') return 'maximumMinutes';
  if (secondary === 'MaxWaitTimeExceeded') return 'maximumWaitMinutes';
  return null;
}

/** Both statuses where the secondary one says more, for instance `Stopped/MaxRuntimeExceeded`. */
export function rawStatusOf({ TrainingJobStatus: primary, SecondaryStatus: secondary }: Statuses): string {
  const first = primary ?? 'unknown';
  return secondary === undefined || secondary === first ? first : `${first}/${secondary}`;
}

const phases: Readonly<Record<SecondaryStatus, string>> = {
  Starting: 'a machine is being started',
  LaunchingMLInstances: 'a machine is being started',
  PreparingTrainingStack: 'the machine is being prepared',
  Pending: 'waiting for a machine',
  Downloading: 'the machine fetches the data',
  DownloadingTrainingImage: 'the machine fetches the container',
  Training: 'training',
  Interrupted: 'the machine was taken back; training goes on from its checkpoint on another one',
  Restarting: 'the machine is being restarted',
  Updating: 'the machine is being updated',
  Uploading: 'the model is being uploaded',
  Stopping: 'stopping',
  Stopped: 'stopped',
  MaxRuntimeExceeded: 'stopped by its limit of time on the machine',
  MaxWaitTimeExceeded: 'stopped by its limit of time altogether',
  Completed: 'completed',
  Failed: 'failed',
};

/** One line for people: the phase, the step where it is known, and what SageMaker says to it. */
export function describeSageMakerProgress(job: DescribeTrainingJobResponse): string {
  const { SecondaryStatus: secondary, SecondaryStatusTransitions: transitions = [] } = job;
  const phase = (secondary && phases[secondary]) ?? `status ${secondary ?? 'unknown'}`;
  const step = metric(job, 'step');
  const steps = metric(job, 'steps');
  const loss = metric(job, 'trainingLoss');
  const interruptions = transitions.filter(({ Status }) => Status === 'Interrupted').length;
  const said = transitions.at(-1)?.StatusMessage;
  const parts = [
    phase,
    step !== null && (steps === null ? `step ${step}` : `step ${step} of ${steps}`),
    loss !== null && `loss ${loss.toPrecision(2)}`,
    interruptions > 0 && `interrupted ${interruptions === 1 ? 'once' : `${interruptions} times`}`,
    said && `SageMaker: ${said}`,
  ];
  return parts.filter((part) => typeof part === 'string' && part !== '').join(', ');
}

/** The last value of a metric that the trainer prints; null until there is one. */
export function metric(
  { FinalMetricDataList: list = [] }: Pick<DescribeTrainingJobResponse, 'FinalMetricDataList'>,
  name: TrainerMetric,
): number | null {
  const value = list.find(({ MetricName }) => MetricName === name)?.Value;
  return value !== undefined && Number.isFinite(value) ? value : null;
}

const trainerMetrics = ['step', 'steps', 'epoch', 'trainingLoss', 'validationLoss'] as const;
type TrainerMetric = (typeof trainerMetrics)[number];

/** How SageMaker finds the trainer's numbers in what it prints: one JSON line an event. */
export const metricDefinitions = trainerMetrics.map((name) => ({
  Name: name,
  Regex: `"${name}": ([0-9.eE+-]+)`,
}));
