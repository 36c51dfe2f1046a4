import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import {
  accountName,
  type BudgetPeriod,
  type BudgetScope,
  type BudgetStanding,
} from '../../domain/budget.js';
import type { Author } from '../registry/registry.js';
import type { Spender } from './budgets.js';

interface Row {
  readonly scope: BudgetScope;
  readonly name: string;
  readonly period: BudgetPeriod;
  readonly limit_usd: string;
  readonly spent_usd: string;
  readonly reserved_usd: string;
}

const everyBudget = sql<boolean>`true`;
const everyRun = sql<boolean>`true`;

/** Every budget, with what counts against it. */
export function listStandings(database: Kysely<Database>): Promise<BudgetStanding[]> {
  return standings(database, everyBudget, everyRun);
}

/** The budgets that a run spends from, with what counts against them beside the run's own reservation. */
export function standingsFor(
  database: Kysely<Database>,
  { model, scheduleId }: Spender,
  besides: Author | null,
): Promise<BudgetStanding[]> {
  const applicable = sql<boolean>`(scope = 'account' and name = ${accountName})
    or (scope = 'model' and name = ${model}) or (scope = 'schedule' and name = ${scheduleId})`;
  const others = besides
    ? sql<boolean>`(workflow_id, run_id) is distinct from (${besides.workflowId}, ${besides.runId})`
    : everyRun;
  return standings(database, applicable, others);
}

/**
 * A reservation counts at what it may still come to; a run that has ended counts at what it spent, in the
 * period in which it ended.
 */
async function standings(
  database: Kysely<Database>,
  budgets: ReturnType<typeof sql<boolean>>,
  runs: ReturnType<typeof sql<boolean>>,
): Promise<BudgetStanding[]> {
  const { rows } = await sql<Row>`
    with chosen as (
      select *, case period when 'month'
        then date_trunc('month', clock_timestamp() at time zone 'UTC') at time zone 'UTC'
        else '-infinity'::timestamptz end as since
      from budgets where ${budgets}
    )
    select scope, name, period, limit_usd, run.reserved as reserved_usd, run.spent + booked.spent as spent_usd
    from chosen
    cross join lateral (
      select
        coalesce(sum(greatest(estimate_usd, spent_usd)) filter (where state = 'reserved'), 0) as reserved,
        coalesce(sum(spent_usd) filter (where state <> 'reserved' and settled_at >= since), 0) as spent
      from budget_reservations
      where ${counts('budget_reservations')} and ${runs}
    ) as run
    cross join lateral (
      select coalesce(sum(usd), 0) as spent from spend where ${counts('spend')} and at >= since
    ) as booked
    order by scope, name`.execute(database);
  return rows.map(rowToStanding);
}

/** Whether a row of a table of costs counts against the chosen budget. */
function counts(table: 'budget_reservations' | 'spend') {
  const own = sql.table(table);
  return sql<boolean>`(chosen.scope = 'account' or (chosen.scope = 'model' and ${own}.model = chosen.name)
    or (chosen.scope = 'schedule' and ${own}.schedule_id = chosen.name))`;
}

function rowToStanding({ scope, name, period, limit_usd, spent_usd, reserved_usd }: Row): BudgetStanding {
  return {
    scope,
    name,
    period,
    limitUsd: Number(limit_usd),
    spentUsd: Number(spent_usd),
    reservedUsd: Number(reserved_usd),
  };
}
