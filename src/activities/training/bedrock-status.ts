import type { GetModelCustomizationJobResponse, StatusDetails } from '@aws-sdk/client-bedrock';
import type { TrainingJobStatus } from '../../domain/training-job.js';

/**
 * Bedrock's status in our words. AWS may add statuses: an unknown one counts as running, so that the wait
 * goes on with the raw status in view until AWS reports an end that we know, or the deadline passes.
 */
export function mapBedrockJobStatus(rawStatus: string | undefined): TrainingJobStatus {
  const status = rawStatus as GetModelCustomizationJobResponse['status'];
  switch (status) {
    case 'InProgress':
      return 'running';
    case 'Stopping':
      return 'stopping';
    case 'Completed':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Stopped':
      return 'cancelled';
    default:
      // Fails to compile when a new version of the client knows a status that is not handled above.
      status satisfies undefined;
      return 'running';
  }
}

/** One line for people: which phases are over and which one runs, with the loss where there is one. */
export function describeBedrockProgress(
  job: Pick<GetModelCustomizationJobResponse, 'statusDetails' | 'trainingMetrics'>,
): string {
  const loss = job.trainingMetrics?.trainingLoss;
  const parts = [
    ...phases(job.statusDetails),
    ...(loss === undefined ? [] : [`training loss ${loss.toFixed(3)}`]),
  ];
  return parts.length > 0 ? parts.join(', ') : 'Bedrock reports no phases yet';
}

function phases(details: StatusDetails | undefined): string[] {
  const all = [
    ['validation', details?.validationDetails?.status],
    ['data processing', details?.dataProcessingDetails?.status],
    ['training', details?.trainingDetails?.status],
  ] as const;
  return all.flatMap(([phase, status]) => (status ? [`${phase} ${spoken(status)}`] : []));
}

/** `NotStarted` → `not started`. */
function spoken(status: string): string {
  return status.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
