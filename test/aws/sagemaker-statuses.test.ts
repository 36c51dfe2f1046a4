import { SecondaryStatus, TrainingJobStatus } from '@aws-sdk/client-sagemaker';
import { describe, expect, test } from 'vitest';
import {
  describeSageMakerProgress,
  mapSageMakerStatus,
  metric,
  metricDefinitions,
  rawStatusOf,
} from '../../src/activities/training/sagemaker/status.js';

describe("SageMaker's statuses", () => {
  test.each([
    ['InProgress', 'Starting', 'running'],
    ['InProgress', 'Pending', 'pending'],
    ['InProgress', 'Training', 'running'],
    ['InProgress', 'Interrupted', 'pending'],
    ['InProgress', 'Restarting', 'running'],
    ['Stopping', 'Stopping', 'stopping'],
    ['Deleting', undefined, 'stopping'],
    ['Completed', 'Completed', 'succeeded'],
    ['Failed', 'Failed', 'failed'],
    ['Stopped', 'Stopped', 'cancelled'],
    ['Stopped', 'MaxRuntimeExceeded', 'failed'],
    ['Stopped', 'MaxWaitTimeExceeded', 'failed'],
  ] as const)('%s with %s is %s', (primary, secondary, expected) => {
    expect(mapSageMakerStatus({ TrainingJobStatus: primary, SecondaryStatus: secondary })).toBe(expected);
  });

  test('that the client does not know go on being waited for', () => {
    const unknown = { TrainingJobStatus: 'Paused', SecondaryStatus: 'Sleeping' } as never;
    expect(mapSageMakerStatus(unknown)).toBe('running');
    expect(describeSageMakerProgress(unknown)).toBe('status Sleeping');
    expect(rawStatusOf(unknown)).toBe('Paused/Sleeping');
  });

  test('all have words for people, and are kept as they are', () => {
    for (const SecondaryStatusValue of Object.values(SecondaryStatus)) {
      const said = describeSageMakerProgress({ SecondaryStatus: SecondaryStatusValue } as never);
      expect(said).not.toMatch(/^status/);
    }
    for (const status of Object.values(TrainingJobStatus)) {
      expect(rawStatusOf({ TrainingJobStatus: status, SecondaryStatus: 'Training' })).toBe(
        `${status}/Training`,
      );
    }
  });
});

describe("the trainer's metrics", () => {
  const line =
    '{"event": "step", "step": 3, "steps": 8, "epoch": 1.5, "trainingLoss": 1.25e-05, "learningRate": 0.01}';

  test.each([
    ['step', '3'],
    ['steps', '8'],
    ['trainingLoss', '1.25e-05'],
  ])('%s is found in the line that it prints', (name, expected) => {
    const { Regex = '' } = metricDefinitions.find(({ Name }) => Name === name) ?? {};
    expect(new RegExp(Regex).exec(line)?.[1]).toBe(expected);
  });

  test('are null until there are any', () => {
    expect(metric({}, 'trainingLoss')).toBeNull();
    expect(metric({ FinalMetricDataList: [{ MetricName: 'step', Value: 2 }] }, 'step')).toBe(2);
  });
});
