import { z } from 'zod';
import { formatUsd } from './money.js';

/** What a budget bounds: everything, one registered model, or the runs that one schedule starts. */
export const budgetScopes = ['account', 'model', 'schedule'] as const;
export type BudgetScope = (typeof budgetScopes)[number];

/** `month` is the calendar month in UTC. */
export const budgetPeriods = ['total', 'month'] as const;
export type BudgetPeriod = (typeof budgetPeriods)[number];

/** The name of the one budget of scope `account`. */
export const accountName = '*';

export const budgetSchema = z.strictObject({
  scope: z.enum(budgetScopes),
  /** The model's name or the schedule's ID; `*` for the account. */
  name: z.string().min(1, 'a name').max(255, 'at most 255 characters'),
  limitUsd: z
    .number()
    .min(0, 'US dollars, 0 or more')
    .max(1_000_000_000, 'US dollars, at most 1,000,000,000'),
  period: z.enum(budgetPeriods),
});

/** A limit that people set; runs that would pass it wait for an approval. */
export type Budget = Readonly<z.infer<typeof budgetSchema>>;

/** A budget beside what counts against it: booked in its period, and reserved by runs that have not ended. */
export interface BudgetStanding extends Budget {
  readonly spentUsd: number;
  readonly reservedUsd: number;
}

/** A budget that a run would pass. `run` is the run's own `budgetUsd`, of which nothing else spends. */
export interface ExceededBudget {
  readonly scope: BudgetScope | 'run';
  readonly name: string;
  readonly period: BudgetPeriod;
  readonly limitUsd: number;
  readonly spentUsd: number;
  readonly reservedUsd: number;
  readonly neededUsd: number;
}

/** Money is counted in hundredths of a cent: sums of fractions would pass a limit that they exactly meet. */
const toUnits = (usd: number) => Math.round(usd * 10_000);

/** Budgets and, with `budgetUsd`, the run's own: those that `neededUsd` more would pass. */
export function exceededBudgets(
  standings: readonly BudgetStanding[],
  neededUsd: number,
  budgetUsd: number | null,
): ExceededBudget[] {
  const own = { scope: 'run', name: '', period: 'total', spentUsd: 0, reservedUsd: 0 } as const;
  const all = [...(budgetUsd === null ? [] : [{ ...own, limitUsd: budgetUsd }]), ...standings];
  return all.map((budget) => ({ ...budget, neededUsd })).filter((budget) => excessUsd(budget) > 0);
}

/** How much too much a run needs; 0 or less where it fits. */
export function excessUsd({ limitUsd, spentUsd, reservedUsd, neededUsd }: ExceededBudget): number {
  const needed = toUnits(spentUsd) + toUnits(reservedUsd) + toUnits(neededUsd);
  return (needed - toUnits(limitUsd)) / 10_000;
}

/** What is left of a budget; less than 0 where approved runs or dear ones have passed it. */
export function freeUsd({ limitUsd, spentUsd, reservedUsd }: BudgetStanding): number {
  return (toUnits(limitUsd) - toUnits(spentUsd) - toUnits(reservedUsd)) / 10_000;
}

export function describeBudget({ scope, name }: Pick<ExceededBudget, 'scope' | 'name'>): string {
  return scope === 'account' ? 'the account' : `${scope} ${name}`;
}

/** One sentence for people: the limit, what counts against it, what the run needs and how much that is too much. */
export function describeExceeded(budget: ExceededBudget): string {
  const { scope, period, limitUsd, spentUsd, reservedUsd, neededUsd } = budget;
  const excess = formatUsd(excessUsd(budget));
  if (scope === 'run') {
    return `the estimate of ${formatUsd(neededUsd)} is above budgetUsd ${formatUsd(limitUsd)}, by ${excess}`;
  }
  const limit = `${formatUsd(limitUsd)}${period === 'month' ? ' a month' : ''}`;
  return `the budget of ${describeBudget(budget)} is ${limit}: ${formatUsd(spentUsd)} spent, ${formatUsd(reservedUsd)} reserved, ${formatUsd(neededUsd)} needed now, ${excess} too much`;
}
