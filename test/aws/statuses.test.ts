import {
  CustomModelDeploymentStatus,
  ModelCustomizationJobStatus,
  ProvisionedModelStatus,
} from '@aws-sdk/client-bedrock';
import { describe, expect, test } from 'vitest';
import { mapBedrockDeploymentStatus } from '../../src/activities/deployment/bedrock-on-demand.js';
import { mapBedrockThroughputStatus } from '../../src/activities/deployment/bedrock-provisioned.js';
import {
  describeBedrockProgress,
  mapBedrockJobStatus,
} from '../../src/activities/training/bedrock-status.js';

describe('statuses of Bedrock', () => {
  test('of jobs: all that the client knows, and an unknown one keeps the wait going', () => {
    const mapped = Object.values(ModelCustomizationJobStatus).map((raw) => [raw, mapBedrockJobStatus(raw)]);
    expect(Object.fromEntries(mapped)).toEqual({
      InProgress: 'running',
      Completed: 'succeeded',
      Failed: 'failed',
      Stopping: 'stopping',
      Stopped: 'cancelled',
    });
    expect(mapBedrockJobStatus('Paused')).toBe('running');
    expect(mapBedrockJobStatus(undefined)).toBe('running');
  });

  test('of deployments: an update in progress is not ready yet', () => {
    const mapped = Object.values(CustomModelDeploymentStatus).map((status) => [
      status,
      mapBedrockDeploymentStatus({ status, updateDetails: undefined }),
    ]);
    expect(Object.fromEntries(mapped)).toEqual({ Creating: 'creating', Active: 'ready', Failed: 'failed' });
    const updating = { modelArn: 'arn', updateStatus: 'Updating' } as const;
    expect(mapBedrockDeploymentStatus({ status: 'Active', updateDetails: updating })).toBe('updating');
    expect(mapBedrockDeploymentStatus({ status: 'Deleting' as never, updateDetails: undefined })).toBe(
      'creating',
    );
  });

  test('of provisioned throughput', () => {
    const mapped = Object.values(ProvisionedModelStatus).map((raw) => [raw, mapBedrockThroughputStatus(raw)]);
    expect(Object.fromEntries(mapped)).toEqual({
      Creating: 'creating',
      InService: 'ready',
      Updating: 'updating',
      Failed: 'failed',
    });
  });

  test('progress names each phase, and the loss where there is one', () => {
    expect(
      describeBedrockProgress({
        statusDetails: {
          validationDetails: { status: 'Completed' },
          dataProcessingDetails: { status: 'InProgress' },
          trainingDetails: { status: 'NotStarted' },
        },
        trainingMetrics: { trainingLoss: 0.41234 },
      }),
    ).toBe('validation completed, data processing in progress, training not started, training loss 0.412');
    expect(describeBedrockProgress({ statusDetails: undefined, trainingMetrics: undefined })).toBe(
      'Bedrock reports no phases yet',
    );
  });
});
