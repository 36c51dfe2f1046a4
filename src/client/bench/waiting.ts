import type { Client } from '@temporalio/client';
import { type Comparison, compare, inTurn } from './comparison.js';
import { benchTaskQueue } from './worker.js';
import type { WaitInput } from './workflows.js';

const betweenMs = 50;
const [fewPolls, manyPolls] = [10, 30];
const pollsPerHour = 60;

/** History events of our wait against a loop of timer and activity, for the same number of polls. */
export async function benchWaiting(
  client: Client,
  repetitions: number,
  signal: AbortSignal,
): Promise<Comparison> {
  const events = async (type: 'waitByRetry' | 'waitByTimer', polls: number, repetition: number) => {
    const workflowId = `bench/${type}/${polls}/${repetition}`;
    const input: WaitInput = { polls, betweenMs };
    await client.workflow.execute(type, { taskQueue: benchTaskQueue, workflowId, args: [input] });
    return (await client.workflow.getHandle(workflowId).describe()).historyLength;
  };
  const measured = await inTurn(
    {
      oursFew: (repetition) => events('waitByRetry', fewPolls, repetition),
      oursMany: (repetition) => events('waitByRetry', manyPolls, repetition),
      naiveFew: (repetition) => events('waitByTimer', fewPolls, repetition),
      naiveMany: (repetition) => events('waitByTimer', manyPolls, repetition),
    },
    repetitions,
    signal,
  );
  const [first] = measured;
  if (!first) throw new Error('Nothing was measured');
  const perPoll = (few: number, many: number) => (many - few) / (manyPolls - fewPolls);
  const ours = perPoll(first.oursFew, first.oursMany);
  const naive = perPoll(first.naiveFew, first.naiveMany);
  return compare(
    {
      name: `waiting, ${manyPolls} polls`,
      ours: 'one activity that throws to be retried',
      against: 'a loop of timer and activity',
      unit: 'history events',
      better: 'lower',
    },
    measured.map(({ oursMany, naiveMany }) => ({ ours: oursMany, against: naiveMany })),
    [
      `Whole histories. With ${fewPolls} polls ours has ${first.oursFew} events and the loop ${first.naiveFew}: ${ours} and ${naive} events a poll.`,
      `Extrapolated, not measured: an hour of waiting with a poll every 60 s adds ${ours * pollsPerHour} events to ours and ${naive * pollsPerHour} to the loop.`,
    ],
  );
}
