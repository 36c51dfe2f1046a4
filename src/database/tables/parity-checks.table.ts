import type { Generated, JSONColumnType } from 'kysely';
import type { Verdict } from '../../domain/evaluation/evaluation.js';
import type { ParityRow } from '../../domain/parity.js';

/** One row per comparison of a converted model with the trained one. */
export interface ParityChecksTable {
  id: Generated<string>;
  model: string;
  version: number;
  measured: 'files' | 'served';
  verdict: Verdict;
  rows: JSONColumnType<readonly ParityRow[]>;
  report_uri: string;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
}
