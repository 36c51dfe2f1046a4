import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { RunSpec } from '../../domain/run-spec.js';
import type { RunResult } from '../../domain/run-state.js';
import { type Comparison, compare, inTurn, secondsOf, spreadOf } from './comparison.js';
import { benchTaskQueue } from './worker.js';

const hellosPerRepetition = 20;
/** Activities that wait for the local cloud and its learner, which no orchestration can hurry. */
const waits = ['awaitTrainingJob', 'awaitDeployment'];

interface History {
  readonly activities: number;
  readonly events: number;
  readonly waitingSeconds: number;
}

/** Wall time of a whole lifecycle with next to nothing to do, against as many one-activity workflows. */
export async function benchLifecycle(
  client: Client,
  folder: string,
  repetitions: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  const path = writeSmallFile(folder);
  const histories: History[] = [];
  const hellos = async () => {
    const seconds: number[] = [];
    for (let index = 0; index < hellosPerRepetition; index += 1) {
      const workflowId = `bench/hello/${crypto.randomUUID()}`;
      const options = { taskQueue: benchTaskQueue, workflowId, args: ['bench'] };
      seconds.push(await secondsOf(() => client.workflow.execute('hello', options)));
    }
    return spreadOf(seconds).median;
  };
  const lifecycle = async (repetition: number) => {
    const workflowId = `bench/lifecycle-${repetition}`;
    const options = { taskQueue: 'anneal', workflowId, args: [smallRun(path, repetition)] };
    let result: RunResult | null = null;
    const seconds = await secondsOf(async () => {
      result = (await client.workflow.execute('fineTune', options)) as RunResult;
    });
    if ((result as RunResult | null)?.outcome !== 'promoted')
      throw new Error(`${workflowId} was not promoted`);
    histories[repetition] = await readHistory(client, workflowId);
    return seconds;
  };
  await hellos();
  const measured = await inTurn({ lifecycle, hello: hellos }, repetitions, signal);

  return comparisons(measured, histories);
}

function comparisons(
  measured: readonly { readonly lifecycle: number; readonly hello: number }[],
  histories: readonly History[],
): Comparison[] {
  const [first] = histories;
  const header = { unit: 's', better: 'lower' } as const;
  const remarks = [
    `${first?.activities} activities and ${first?.events} events; 12 conversations, one question, the local cloud's clock at full speed.`,
    `A one-activity workflow takes ${(spreadOf(measured.map(({ hello }) => hello)).median * 1000).toFixed(1)} ms here.`,
  ];
  const against = (history: History | undefined, hello: number, without: number) =>
    ((history?.activities ?? 0) - without) * hello;
  return [
    compare(
      {
        ...header,
        name: 'lifecycle, whole',
        ours: 'fineTune',
        against: 'activities × a one-activity workflow',
      },
      measured.map(({ lifecycle: ours, hello }, index) => ({
        ours,
        against: against(histories[index], hello, 0),
      })),
      remarks,
    ),
    compare(
      {
        ...header,
        name: 'lifecycle, without waits',
        ours: 'fineTune without its two waits',
        against: 'the other activities × a one-activity workflow',
      },
      measured.map(({ lifecycle: ours, hello }, index) => ({
        ours: ours - (histories[index]?.waitingSeconds ?? 0),
        against: against(histories[index], hello, waits.length),
      })),
      [`The waits are those for the training job and for the deployment; their polls are 0.1 s apart.`],
    ),
  ];
}

function smallRun(path: string, repetition: number): RunSpec {
  return {
    recipe: 'conversation',
    model: `bench-${repetition}`,
    dataset: { source: { kind: 'file', path }, validationShare: 0 },
    training: { hyperparameters: { epochCount: 1 } },
    validation: { samples: 1 },
    waiting: { firstMinuteSeconds: 0.1, firstHourSeconds: 0.1, laterSeconds: 0.1 },
  };
}

function writeSmallFile(folder: string): string {
  const rows = Array.from({ length: 12 }, (_, index) =>
    JSON.stringify({
      messages: [
        { role: 'user', content: [{ text: `What comes after ${index}?` }] },
        { role: 'assistant', content: [{ text: `After ${index} comes ${index + 1}.` }] },
      ],
    }),
  );
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'small.jsonl');
  writeFileSync(path, `${rows.join('\n')}\n`);
  return path;
}

async function readHistory(client: Client, workflowId: string): Promise<History> {
  const { events = [] } = await client.workflow.getHandle(workflowId).fetchHistory();
  const list = events ?? [];
  const scheduled = list.filter((event) => event.activityTaskScheduledEventAttributes);
  const waitingSeconds = scheduled
    .filter((event) => waits.includes(event.activityTaskScheduledEventAttributes?.activityType?.name ?? ''))
    .map((event) => {
      const completed = list.find(
        ({ activityTaskCompletedEventAttributes: done }) =>
          String(done?.scheduledEventId) === String(event.eventId),
      );
      return secondsAt(completed) - secondsAt(event);
    });
  return {
    activities: scheduled.length,
    events: list.length,
    waitingSeconds: waitingSeconds.reduce((sum, each) => sum + each, 0),
  };
}

type HistoryEvent = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>[number];

function secondsAt(event: HistoryEvent | undefined): number {
  return Number(event?.eventTime?.seconds ?? 0) + (event?.eventTime?.nanos ?? 0) / 1e9;
}
