import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { repositoryRoot } from '../repository-root.js';
import { tableLines } from '../table.js';
import { runScript, wholeNumber } from '../trials/script.js';
import { runTrial, type Trial } from '../trials/trial.js';
import type { Comparison, Spread } from './comparison.js';
import { benchDatasetBuilder } from './dataset-builder.js';
import { benchGuardrails } from './guardrails.js';
import { benchInference } from './inference.js';
import { benchLifecycle } from './lifecycle.js';
import { benchManyWaiting } from './many-waiting.js';
import { benchWaiting } from './waiting.js';
import { withBenchWorker } from './worker.js';

interface Options {
  readonly repetitions: number;
  /** How many wait at once; 0 leaves that part out. */
  readonly lifecycles: number;
  readonly json?: true;
  readonly onlyWaiting?: true;
}

const command = new Command('bench')
  .description('Measures Anneal beside the floor or the naive way of the same work, as ratios.')
  .option('--repetitions <number>', 'of each side, in turn', wholeNumber(5, 100), 5)
  .option(
    '--lifecycles <number>',
    'that wait at once on one worker; 0 for none',
    wholeNumber(0, 20_000),
    2000,
  )
  .option('--only-waiting', 'nothing but the lifecycles that wait at once')
  .option('--json', 'print the results as one JSON document; progress goes to stderr')
  .addHelpText(
    'after',
    `
Both sides of a comparison run in the same process or on the same server, in turn, so that the ratio says
more than the figures. Close other programs; docs/benchmarks.md says what is measured and what is not.

Runs on a stack of its own under .anneal/bench, against the local cloud: no account, no cost.

Examples:
  npm run bench
  npm run -s bench -- --json --repetitions 10 > bench.json`,
  );

await runScript<Options>(command, (options, signal) =>
  runTrial(
    {
      name: 'bench',
      recipe: 'stylist',
      stack: {
        clockScale: 100_000,
        environment: { ANNEAL_WAITING_SECONDS: '0.2,0.2,0.2', ANNEAL_LOG_LEVEL: 'warn' },
      },
      signal,
      print: (line) => console.error(line),
    },
    async (trial) => {
      const startedAt = performance.now();
      const comparisons = [
        ...(options.onlyWaiting ? [] : await benchAll(trial, options.repetitions, signal)),
        ...(await benchWaitingAtOnce(trial, options, signal)),
      ];
      const machine = { cores: cpus().length, node: process.version, platform: process.platform };
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      const result = { measuredAt: new Date().toISOString(), machine, seconds, comparisons };
      console.log(options.json ? JSON.stringify(result, null, 2) : pageOf(result));
    },
  ),
);

async function benchWaitingAtOnce(
  { stack, stage, print }: Trial,
  { lifecycles }: Options,
  signal: AbortSignal,
): Promise<Comparison[]> {
  if (lifecycles === 0) return [];
  print(`  ${lifecycles} lifecycles waiting …`);
  return benchManyWaiting({ client: stage.client, stack, lifecycles, signal, print });
}

async function benchAll(trial: Trial, repetitions: number, signal: AbortSignal): Promise<Comparison[]> {
  const { recipe, dependencies, stack, stage, print } = trial;
  const { client } = stage;
  const data = join(repositoryRoot, 'recipes', recipe.name);
  const conversation = dependencies.recipes.get('conversation');
  if (!conversation) throw new Error('There is no recipe conversation');
  print('  dataset builder …');
  const builder = await benchDatasetBuilder(
    conversation,
    join(stack.home.path, 'data/builder'),
    repetitions,
    signal,
  );
  print('  guardrails …');
  const guardrails = await benchGuardrails(recipe, join(data, 'ruleset.json'), repetitions, signal);
  return withBenchWorker(stack.temporalAddress, async () => {
    print('  waiting …');
    const waiting = await benchWaiting(client, repetitions);
    print('  lifecycle …');
    const lifecycle = await benchLifecycle(client, join(stack.home.path, 'data'), repetitions, signal);
    print('  inference …');
    const requestPath = join(data, 'examples/request.json');
    const inference = await benchInference(
      { client, dependencies, recipe, requestPath },
      repetitions,
      signal,
    );
    return [...builder, waiting, ...lifecycle, guardrails, ...inference];
  });
}

function pageOf(result: {
  measuredAt: string;
  machine: { cores: number; node: string; platform: string };
  seconds: number;
  comparisons: readonly Comparison[];
}): string {
  const { measuredAt, machine, seconds, comparisons } = result;
  const head = ['comparison', 'ours', 'against', 'unit', 'ratio: median (min–max)', 'better'];
  const rows = comparisons.map(({ name, oursMeasured, againstMeasured, unit, ratio, better }) => [
    ...[name, shown(oursMeasured.median), shown(againstMeasured.median), unit, spread(ratio), better],
  ]);
  const remarks = comparisons.flatMap(({ name, ours, against, repetitions, remarks: lines }) => [
    `  ${name}: ${ours}, against ${against}; ${repetitions} repetitions.`,
    ...lines.map((line) => `    ${line}`),
  ]);
  return [
    `${measuredAt}, ${machine.cores} cores, Node ${machine.node} on ${machine.platform}, ${seconds} s`,
    '',
    ...tableLines([head, ...rows]),
    '',
    ...remarks,
  ].join('\n');
}

function spread({ median, minimum, maximum }: Spread): string {
  return `${shown(median)} (${shown(minimum)}–${shown(maximum)})`;
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
