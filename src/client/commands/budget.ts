import { Command } from 'commander';
import type { Budgets } from '../../activities/budgets/budgets.js';
import {
  accountName,
  type Budget,
  type BudgetScope,
  type BudgetStanding,
  budgetPeriods,
  budgetSchema,
  budgetScopes,
  describeBudget,
  freeUsd,
} from '../../domain/budget.js';
import { formatUsd } from '../../domain/money.js';
import { didYouMean, formatProblems, parseInput } from '../../domain/parse-input.js';
import { nameSchema } from '../../domain/run-spec.js';
import { CommandFailure, exitCodes } from '../exit.js';
import { explainDatabaseError } from '../explain-database-error.js';
import { commandConfig } from '../stack-addresses.js';
import { alignColumns } from '../table.js';

/** Limits on what runs may spend, kept in the registry's database. */
export function budgetCommand(): Command {
  const budget = new Command('budget')
    .description('Limits what runs may spend: altogether, for a model, or for a schedule.')
    .addHelpText(
      'after',
      `
A run reserves its estimate in every budget that it belongs to before it buys anything. Where one of them is
too small, the run waits for "approve" and says which, and by how much.

Examples:
  anneal budget set account 500 --period month
  anneal budget set model stylist 100
  anneal budget set schedule weekly 25 --period month
  anneal budget list
  anneal budget remove model stylist`,
    );
  for (const command of [setCommand(), listCommand(), removeCommand()]) {
    budget.addCommand(command.exitOverride().showHelpAfterError(`(anneal budget ${command.name()} --help)`));
  }
  return budget;
}

function setCommand(): Command {
  return new Command('set')
    .description('Sets a limit, or changes it. What is reserved already stays reserved.')
    .argument('<scope>', budgetScopes.join(', '))
    .argument('[name]', "the model, or the schedule's ID; none for the account")
    .argument('[limit]', 'US dollars')
    .usage('[options] <scope> [name] <limit>')
    .option(
      '--period <period>',
      `${budgetPeriods.join(' or ')}: for ever, or each calendar month (UTC)`,
      'total',
    )
    .action(async (scope: string, name: string | undefined, limit: string | undefined, { period }) => {
      const budget = parseBudget(scope, name, limit, period);
      await withBudgets((budgets) => budgets.set(budget));
      console.log(`The budget of ${describeBudget(budget)} is ${describeLimit(budget)}.`);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('Shows every limit, what is reserved and spent of it, and what is free.')
    .option('--json', 'print the budgets as JSON')
    .action(async (options: { json?: true }) => {
      const standings = await withBudgets((budgets) => budgets.list());
      if (options.json) {
        const rows = standings.map((standing) => ({ ...standing, freeUsd: freeUsd(standing) }));
        console.log(JSON.stringify(rows, null, 2));
      } else if (standings.length === 0) {
        console.log(
          'There are no budgets. Set one, for instance: anneal budget set account 500 --period month',
        );
      } else {
        console.log(table(standings));
      }
    });
}

function removeCommand(): Command {
  return new Command('remove')
    .description('Removes a limit. What runs have spent stays on record.')
    .argument('<scope>', budgetScopes.join(', '))
    .argument('[name]', "the model, or the schedule's ID; none for the account")
    .action(async (scopeText: string, nameText: string | undefined) => {
      const scope = parseScope(scopeText);
      const name = parseName(scope, nameText);
      const removed = await withBudgets((budgets) => budgets.remove(scope, name));
      if (removed) return console.log(`The budget of ${describeBudget({ scope, name })} is removed.`);
      throw new CommandFailure(
        `There is no budget of ${describeBudget({ scope, name })}; "anneal budget list" shows those there are.`,
      );
    });
}

/** `set account 500` has no name: its limit stands where the name would. */
function parseBudget(scopeText: string, first?: string, second?: string, period?: string): Budget {
  const scope = parseScope(scopeText);
  const [nameText, limit] =
    scope === 'account' && second === undefined ? [undefined, first] : [first, second];
  const name = parseName(scope, nameText);
  const limitUsd = /^\d+(\.\d+)?$/.test(limit ?? '') ? Number(limit) : Number.NaN;
  if (Number.isNaN(limitUsd)) {
    const found = limit === undefined ? 'nothing' : `"${limit}"`;
    throw badInput(`limit: found ${found}; allowed: US dollars as a number, for instance 100 or 12.50.`);
  }
  const parsed = parseInput(budgetSchema, { scope, name, limitUsd, period });
  if ('value' in parsed) return parsed.value;
  throw badInput(formatProblems('the budget', parsed.problems));
}

function parseScope(text: string): BudgetScope {
  const scope = budgetScopes.find((known) => known === text);
  if (scope) return scope;
  const hint = didYouMean(text, budgetScopes);
  throw badInput(
    `scope: found "${text}"; allowed: ${budgetScopes.join(', ')}.${hint ? ` Did you mean "${hint}"?` : ''}`,
  );
}

function parseName(scope: BudgetScope, text: string | undefined): string {
  if (scope === 'account') {
    if (text === undefined || text === accountName) return accountName;
    throw badInput(`name: found "${text}"; allowed: none, the account has one budget.`);
  }
  const name = scope === 'model' ? nameSchema.safeParse(text) : { success: Boolean(text) };
  if (text && name.success) return text;
  const allowed =
    scope === 'model' ? "a model's name: small letters, digits and single dashes" : "a schedule's ID";
  const example = `anneal budget set ${scope} ${scope === 'model' ? 'stylist' : 'weekly'} 100`;
  throw badInput(
    `name: found ${text ? `"${text}"` : 'nothing'}; allowed: ${allowed}. For instance: ${example}`,
  );
}

function badInput(message: string): CommandFailure {
  return new CommandFailure(message, exitCodes.badInput);
}

async function withBudgets<T>(work: (budgets: Budgets) => Promise<T>): Promise<T> {
  const { openBudgets } = await import('../../workers/dependencies.js');
  const config = commandConfig({ offline: true });
  const { budgets, close } = openBudgets(config);
  try {
    return await work(budgets);
  } catch (error) {
    throw explainDatabaseError(error, config.databaseUrl);
  } finally {
    await close();
  }
}

function describeLimit({ limitUsd, period }: Pick<Budget, 'limitUsd' | 'period'>): string {
  return period === 'month' ? `${formatUsd(limitUsd)} a month` : `${formatUsd(limitUsd)} in total`;
}

function table(standings: readonly BudgetStanding[]): string {
  const rows = standings.map((standing) => [
    describeBudget(standing),
    describeLimit(standing),
    formatUsd(standing.reservedUsd),
    formatUsd(standing.spentUsd),
    freeUsd(standing) < 0 ? `-${formatUsd(-freeUsd(standing))}` : formatUsd(freeUsd(standing)),
  ]);
  const all = [['budget of', 'limit', 'reserved', 'spent', 'free'], ...rows];
  return alignColumns(all, [2, 3, 4]).join('\n');
}
