import { Command } from 'commander';
import { formatUsd } from '../../domain/money.js';
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
from there; everything else needs no running stack.

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

function summary({ dataset, items, totalUsd, budgetUsd, isWithinBudget }: RunEstimate): string {
  const width = Math.max(...items.map(({ what }) => what.length));
  return [
    `Dataset: ${dataset.trainingRecords} training and ${dataset.validationRecords} validation records, ${dataset.trainingTokens} training tokens.`,
    ...items.map(({ what, usd }) => `  ${what.padEnd(width)}  ${formatUsd(usd)}`),
    `  ${'total'.padEnd(width)}  ${formatUsd(totalUsd)}`,
    isWithinBudget
      ? `Within budgetUsd ${formatUsd(budgetUsd)}.`
      : `Above budgetUsd ${formatUsd(budgetUsd)}: the run would be refused before anything is bought.`,
  ].join('\n');
}
