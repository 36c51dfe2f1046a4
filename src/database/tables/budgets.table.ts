import type { ColumnType, Generated } from 'kysely';
import type { BudgetPeriod, BudgetScope } from '../../domain/budget.js';

/** Exact decimal; the driver reads it as text, so that it loses nothing. */
export type UsdColumn = ColumnType<string, number | string, number | string>;

/** One row per limit, set by people. */
export interface BudgetsTable {
  scope: BudgetScope;
  /** Model name or schedule ID; `*` for the account. */
  name: string;
  limit_usd: UsdColumn;
  period: BudgetPeriod;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}
