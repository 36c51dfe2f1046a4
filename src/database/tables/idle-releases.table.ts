import type { Generated, JSONColumnType } from 'kysely';

/** A deployment that was given back because nothing asked it: what brings it back as it was. */
export interface IdleReleasesTable {
  id: Generated<string>;
  model: string;
  version: number;
  /** The natural key. */
  deployment_name: string;
  target: string;
  settings: JSONColumnType<Record<string, unknown>>;
  workflow_id: string;
  run_id: string;
  at: Generated<Date>;
}
