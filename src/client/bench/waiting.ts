import type { Client } from '@temporalio/client';
import { type Comparison, compare } from './comparison.js';
import { benchTaskQueue } from './worker.js';
import type { WaitInput } from './workflows.js';

const betweenMs = 50;
const [fewPolls, manyPolls] = [10, 30];
const pollsPerHour = 60;

/** History events of our wait against a loop of timer and activity, for the same number of polls. */
export async function benchWaiting(client: Client, repetitions: number): Promise<Comparison> {
  const events = async (type: 'waitByRetry' | 'waitByTimer', polls: number, repetition: number) => {
    const workflowId = `bench/${type}/${polls}/${repetition}`;
    const input: WaitInput = { polls, betweenMs };
    await client.workflow.execute(type, { taskQueue: benchTaskQueue, workflowId, args: [input] });
    return (await client.workflow.getHandle(workflowId).describe()).historyLength;
  };
  // Counts, not times: everything may run at once. Temporal puts about a second between two retries.
  const measured = await Promise.all(
    Array.from({ length: repetitions }, async (_, repetition) => {
      const [oursFew, oursMany, naiveFew, naiveMany] = await Promise.all([
        events('waitByRetry', fewPolls, repetition),
        events('waitByRetry', manyPolls, repetition),
        events('waitByTimer', fewPolls, repetition),
        events('waitByTimer', manyPolls, repetition),
      ]);
      return { oursFew, oursMany, naiveFew, naiveMany };
    }),
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
