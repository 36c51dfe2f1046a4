import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, inject, it } from 'vitest';
import { largestHistoryBytes, loadHistory, type StoredHistory, storedHistories } from './histories.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

const replay = (history: StoredHistory) =>
  Worker.runReplayHistory(
    { workflowBundle: { codePath: inject('bundlePath') } },
    history,
    history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId,
  );

/** One of each way in which a run can end. */
const outcomes = [
  'promoted',
  'rejected',
  'unchanged',
  'declined',
  'rolled-back',
  'torn-down',
  'built',
  'trained',
  'deployed',
  'validated',
  'cancelled-in-training',
  'failed-dataset',
  'failed-deployment',
  'failed-input',
  'inferred',
  'lease-released',
  'lease-handed-over',
  'lease-after-terminate',
];

describe('the workflows of today replay the histories that were recorded', () => {
  it('of each outcome', () => {
    expect(storedHistories()).toEqual(expect.arrayContaining(outcomes));
  });

  it.each(storedHistories())('%s', async (name) => {
    const { history, bytes } = loadHistory(name);
    expect(bytes).toBeLessThan(largestHistoryBytes);
    await replay(history);
  });

  it('and would refuse one that no longer fits', async () => {
    const { history } = loadHistory('promoted');
    const scheduled = history.events.filter((event) => event.activityTaskScheduledEventAttributes);
    const submitted = scheduled.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'submitTrainingJob',
    );
    const { activityType } = submitted?.activityTaskScheduledEventAttributes ?? {
      activityType: { name: '' },
    };
    activityType.name = 'submitSomethingElse';
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });
});
