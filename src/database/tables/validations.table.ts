import type { Generated, JSONColumnType } from 'kysely';
import type { Metrics, Verdict } from '../../domain/evaluation/evaluation.js';
import type { CheckResult } from '../../domain/evaluation/gate-policy.js';

/** One row per validation of a deployed version, with every number the verdict rests on. */
export interface ValidationsTable {
  id: Generated<string>;
  model: string;
  version: number;
  verdict: Verdict;
  policy: string;
  samples: number;
  metrics: JSONColumnType<Metrics>;
  checks: JSONColumnType<readonly CheckResult[]>;
  report_uri: string;
  workflow_id: string;
  run_id: string;
  created_at: Generated<Date>;
}
