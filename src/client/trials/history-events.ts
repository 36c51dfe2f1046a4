import { Command } from 'commander';
import type { RunResult } from '../../domain/run-state.js';
import { Stage } from '../demo/act.js';
import { CommandFailure } from '../exit.js';
import { tableLines } from '../table.js';
import { runScript, wholeNumber } from './script.js';
import { runTrial, type Trial, withoutLooks } from './trial.js';

interface Options {
  readonly hours: number;
  readonly few: number;
  readonly many: number;
}

interface Lifecycle {
  readonly name: string;
  readonly secondsBetweenLooks: number;
  readonly looksAtTraining: number;
  readonly looksAtDeployment: number;
  readonly trainingHours: number;
  readonly events: number;
  readonly outcome: string;
}

/** A job takes this long on our clock, whatever it takes on the cloud's. */
const trainingSeconds = 120;
/** What Temporal itself puts between two looks that are close together, about. */
const overheadSeconds = 0.15;
const mostEvents = 150;

const command = new Command('history-events')
  .description(
    'Waits for the same long training job with few looks and with many, and counts history events.',
  )
  .option('--hours <number>', "hours of the local cloud's time that training takes", wholeNumber(1, 48), 8)
  .option('--few <number>', 'looks at the job in the first lifecycle, about', wholeNumber(2, 50), 5)
  .option('--many <number>', 'looks in the second, about', wholeNumber(20, 120), 100)
  .addHelpText(
    'after',
    `
Runs two whole lifecycles side by side on a stack of its own under .anneal/history-events, against the local cloud: no
account, no cost. Its clock runs so fast that training takes ${trainingSeconds} seconds of ours.

Fails unless both histories have the same number of events, fewer than ${mostEvents}.

Examples:
  npm run history-events
  npm run history-events -- --hours 24 --few 3`,
  );

await runScript<Options>(command, (options, signal) =>
  runTrial(
    {
      name: 'history-events',
      recipe: 'stylist',
      stack: {
        clockScale: (options.hours * 3600) / trainingSeconds,
        trainingHours: options.hours,
        environment: { ANNEAL_LEASE_WATCH_SECONDS: '5' },
      },
      signal,
      print: (line) => console.log(line),
    },
    (trial) => historyEvents(trial, options),
  ),
);

async function historyEvents(trial: Trial, { hours, few, many }: Options): Promise<void> {
  const { print, promises } = trial;
  const between = (looks: number) => Number((trainingSeconds / looks - overheadSeconds).toFixed(2));
  const [first, second] = await Promise.all([
    live(trial, 'few-looks', between(few)),
    live(trial, 'many-looks', between(many)),
  ]);

  print('');
  for (const line of tableLines(rowsOf([first, second]))) print(line);
  print('');
  for (const { name, trainingHours } of [first, second]) {
    const isLong = trainingHours >= hours;
    promises.check(
      isLong,
      `${name}: training took ${trainingHours.toFixed(2)} h of the cloud's time; at least ${hours}`,
    );
  }
  const factor = second.looksAtTraining / first.looksAtTraining;
  promises.check(
    factor >= many / few / 2,
    `the second looked ${factor.toFixed(1)} times as often: ${first.looksAtTraining} and ${second.looksAtTraining} looks at training`,
  );
  promises.check(first.events === second.events, `as many events: ${first.events} and ${second.events}`);
  promises.check(second.events < mostEvents, `fewer than ${mostEvents}`);
}

async function live(trial: Trial, model: string, seconds: number): Promise<Lifecycle> {
  const { stack, client, recipe, print, signal } = trial.stage;
  const named = (line: string) => print(`${model.padEnd(10)} ${line}`);
  const stage = new Stage(stack, client, recipe, withoutLooks(named), signal);
  const workflowId = `fine-tune/${model}`;
  const waiting = { firstMinuteSeconds: seconds, firstHourSeconds: seconds, laterSeconds: seconds };
  const { result, closed, failure } = await stage.fineTune(workflowId, `A look every ${seconds} s`, {
    recipe: recipe.name,
    model,
    validation: { samples: 200 },
    waiting,
  });
  if (!result) throw new CommandFailure(`${workflowId} ended ${closed}: ${failure}`);
  const looks = await countLooks(trial, workflowId);
  return {
    name: model,
    secondsBetweenLooks: seconds,
    looksAtTraining: looks.get('awaitTrainingJob') ?? 0,
    looksAtDeployment: looks.get('awaitDeployment') ?? 0,
    trainingHours: await hoursOfTraining(trial, result),
    events: looks.get('events') ?? 0,
    outcome: result.outcome ?? '-',
  };
}

/** Attempts of every activity type, and under `events` the length of the history. */
async function countLooks({ stage }: Trial, workflowId: string): Promise<Map<string, number>> {
  const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
  const types = new Map<string, string>();
  const counts = new Map<string, number>([['events', events?.length ?? 0]]);
  for (const event of events ?? []) {
    const type = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (type) types.set(String(event.eventId), type);
    const started = event.activityTaskStartedEventAttributes;
    const startedType = started && types.get(String(started.scheduledEventId));
    if (startedType) counts.set(startedType, (counts.get(startedType) ?? 0) + (started.attempt ?? 1));
  }
  return counts;
}

/** By the cloud's own clock, from the creation of the job to its end. */
async function hoursOfTraining({ stage }: Trial, { model }: RunResult): Promise<number> {
  const { resources } = await stage.cloudState();
  const job = resources.find(({ kind, name }) => kind === 'trainingJob' && name.startsWith(`${model}-`));
  if (!job?.endedAt) throw new CommandFailure(`The local cloud knows no ended training job of ${model}.`);
  return (Date.parse(job.endedAt) - Date.parse(job.createdAt)) / 3_600_000;
}

function rowsOf(lifecycles: readonly Lifecycle[]): string[][] {
  return [
    [
      'lifecycle',
      'seconds between',
      'looks at training',
      'at deployment',
      'cloud hours',
      'events',
      'outcome',
    ],
    ...lifecycles.map((each) => [
      each.name,
      each.secondsBetweenLooks.toFixed(1),
      String(each.looksAtTraining),
      String(each.looksAtDeployment),
      each.trainingHours.toFixed(2),
      String(each.events),
      each.outcome,
    ]),
  ];
}
