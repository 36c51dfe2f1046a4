import { join, relative } from 'node:path';
import { Command } from 'commander';
import type { CheckResult } from '../../domain/evaluation/gate-policy.js';
import type { Recipe } from '../../domain/recipe.js';
import type { RunResult } from '../../domain/run-state.js';
import { writeShuffledFile } from '../demo/data-files.js';
import { CommandFailure } from '../exit.js';
import { repositoryRoot } from '../repository-root.js';
import { tableLines } from '../table.js';
import { runScript, wholeNumber } from './script.js';
import { runTrial, type Trial } from './trial.js';

interface Options {
  readonly records: number;
  readonly samples: number;
  readonly seed: number;
}

interface Dose {
  readonly share: number;
  readonly result: RunResult;
  readonly agreement: CheckResult;
  readonly report: string;
}

/** With the verdict that each dose has to get; the small one lies between and may get either. */
const doses = [
  { share: 0, verdict: 'passed' },
  { share: 0.05, verdict: null },
  { share: 0.25, verdict: 'failed' },
  { share: 1, verdict: 'failed' },
] as const;

const command = new Command('dose-response')
  .description(
    'Shuffles more and more answers of the training data, and measures what that does to the model.',
  )
  .option('--records <number>', 'training records', wholeNumber(100, 20_000), 1085)
  .option('--samples <number>', 'questions to each model', wholeNumber(100, 20_000), 500)
  .option('--seed <number>', 'of the generated records and of the questions', wholeNumber(0, 1_000_000), 1)
  .addHelpText(
    'after',
    `
Runs four whole lifecycles of the recipe "stylist", one after another, on a stack of its own under
.anneal/dose-response, against the local cloud: no account, no cost. Nothing in a single row shows the
damage; only questions to the trained model do.

Fails unless the measured agreement falls strictly with the share, and 0 % passes, 25 % and 100 % fail.

Examples:
  npm run dose-response
  npm run dose-response -- --records 2000 --samples 1000 --seed 3`,
  );

await runScript<Options>(command, (options, signal) =>
  runTrial(
    {
      name: 'dose-response',
      recipe: 'stylist',
      stack: {
        clockScale: 3600,
        environment: { ANNEAL_WAITING_SECONDS: '0.5,0.5,0.5', ANNEAL_LEASE_WATCH_SECONDS: '2' },
      },
      signal,
      print: (line) => console.log(line),
    },
    (trial) => doseResponse(trial, options),
  ),
);

async function doseResponse(trial: Trial, options: Options): Promise<void> {
  const { print, promises } = trial;
  const startedAt = performance.now();
  const measured: Dose[] = [];
  for (const { share } of doses) measured.push(await giveDose(trial, options, share));

  print(`\n${options.records} records, ${options.samples} questions to each model, seed ${options.seed}\n`);
  for (const line of tableLines(rowsOf(measured))) print(line);
  print('');
  for (const [index, { verdict }] of doses.entries()) {
    const dose = measured[index] as Dose;
    const found = `${percent(dose.share)} shuffled: verdict ${dose.result.verdict}`;
    if (verdict) promises.check(dose.result.verdict === verdict, `${found}; has to be ${verdict}`);
    else {
      const isEither = dose.result.verdict === 'passed' || dose.result.verdict === 'failed';
      promises.check(isEither, `${found}; passed or failed`);
    }
  }
  const values = measured.map(({ agreement }) => agreement.value ?? Number.NaN);
  const isFalling = values.every((value, index) => index === 0 || value < (values[index - 1] ?? Number.NaN));
  promises.check(isFalling, `agreement falls with each dose: ${values.map(fixed).join(' > ')}`);
  print(`\n  ${((performance.now() - startedAt) / 1000).toFixed(0)} s for four lifecycles.`);
}

async function giveDose(trial: Trial, options: Options, share: number): Promise<Dose> {
  const { stage, stack, print } = trial;
  const recipe = withRecords(trial.recipe, options);
  const path = relative(repositoryRoot, writeShuffledFile(join(stack.home.path, 'data'), recipe, share));
  const model = `stylist-${Math.round(share * 100)}`;
  print(`\n${percent(share)} of the answers shuffled: ${path}\n`);
  const { result, closed, failure } = await stage.fineTune(
    `fine-tune/${model}`,
    `${percent(share)} shuffled`,
    {
      recipe: recipe.name,
      model,
      dataset: { source: { kind: 'file', path } },
      validation: { samples: options.samples, seed: options.seed },
    },
  );
  if (!result)
    throw new CommandFailure(`The run with ${percent(share)} shuffled ended ${closed}: ${failure}`);
  const { checks } = await trial.report(result);
  const agreement = checks.find(({ metric }) => metric === 'verdict.agreement');
  if (!agreement) throw new CommandFailure('The report has no verdict.agreement.');
  return { share, result, agreement, report: await stage.saveReport(result) };
}

/** The recipe, with a builder that makes the number of rows asked for. */
function withRecords(recipe: Recipe, { records, seed }: Options): Recipe {
  const { source } = recipe.defaults.dataset;
  if (source?.kind !== 'builder') throw new CommandFailure(`Recipe ${recipe.name} has no builder.`);
  const dataset = { ...recipe.defaults.dataset, source: { ...source, records, seed } };
  return { ...recipe, defaults: { ...recipe.defaults, dataset } };
}

function rowsOf(measured: readonly Dose[]): string[][] {
  const head = ['shuffled', 'verdict.agreement', '95 % interval', 'samples', 'verdict', 'outcome', 'report'];
  return [
    head,
    ...measured.map(({ share, result, agreement, report }) => [
      percent(share),
      fixed(agreement.value ?? Number.NaN),
      agreement.interval ? `${fixed(agreement.interval[0])} to ${fixed(agreement.interval[1])}` : '-',
      String(agreement.samples),
      result.verdict ?? '-',
      result.outcome ?? '-',
      report,
    ]),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function fixed(value: number): string {
  return value.toFixed(3);
}
