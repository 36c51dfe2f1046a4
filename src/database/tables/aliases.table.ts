import type { Generated } from 'kysely';

/** Which version an alias points at. The row of `champion` is also the lock for every change to a model. */
export interface AliasesTable {
  model: string;
  alias: string;
  /** Null while nothing serves under the alias. */
  version: number | null;
  workflow_id: string;
  run_id: string;
  updated_at: Generated<Date>;
}
