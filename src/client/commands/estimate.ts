import { Command } from 'commander';
import { describeExceeded, exceededBudgets } from '../../domain/budget.js';
import { type CostItem, formatUsd } from '../../domain/money.js';
import type { RunEstimate } from '../estimate-run.js';
import { readRunSpec } from '../run-spec-file.js';

export function estimateCommand(directory: string): Command {
  return new Command('estimate')
    .description('Says what a run is expected to cost, and checks its data on the way.')
    .argument('<run.json>', 'a run spec, or - for standard input')
    .option('--json', 'print the estimate as JSON')
    .addHelpText(
      'after',
      `
Builds the dataset to count its tokens, keeps none of it, and buys nothing. Data in object storage is read
from there; everything else needs no running stack. Where one runs, it also says which budgets the run would
pass ("anneal budget list").

Examples:
  anneal estimate run.json
  echo '{"recipe":"stylist"}' | anneal estimate - --json | jq .totalUsd`,
    )
    .action(async (file: string, options: { json?: true }) => {
      const input = readRunSpec(file, directory);
      const { estimateRun } = await import('../estimate-run.js');
      const estimate = await estimateRun(input);
      console.log(options.json ? JSON.stringify(estimate, null, 2) : summary(estimate));
    });
}

function summary(estimate: RunEstimate): string {
  const { dataset, items, monthly, totalUsd } = estimate;
  const width = Math.max(...[...items, ...monthly].map(({ what }) => what.length));
  const line = ({ what, usd }: CostItem) => `  ${what.padEnd(width)}  ${formatUsd(usd)}`;
  return [
    `Dataset: ${dataset.trainingRecords} training and ${dataset.validationRecords} validation records, ${dataset.trainingTokens} training tokens.`,
    ...items.map(line),
    line({ what: 'total', usd: totalUsd }),
    'Each month afterwards, for as long as it is kept:',
    ...monthly.map(line),
    ...budgetLines(estimate),
  ].join('\n');
}

function budgetLines({
  budgetUsd,
  isWithinBudget,
  exceeded,
  commitmentUsd,
  totalUsd,
}: RunEstimate): string[] {
  const own = exceededBudgets([], totalUsd, budgetUsd);
  const reasons = (exceeded ?? own).map(describeExceeded);
  const commitment = commitmentUsd === null ? [] : ['a commitment is bought only with an approval'];
  return [
    ...(isWithinBudget ? [`Within budgetUsd ${formatUsd(budgetUsd)}.`] : []),
    ...[...reasons, ...commitment].map((reason) => `The run would wait for approve: ${reason}.`),
    exceeded === null
      ? 'Other budgets were not looked at: no database answered.'
      : `Other budgets: ${reasons.length > own.length ? 'see above' : 'none stands in the way'}.`,
  ];
}
