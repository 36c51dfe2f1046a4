import { sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import type { Metrics } from '../../domain/evaluation/evaluation.js';
import type { Author, Registry } from './registry.js';

export type Validation = Parameters<Registry['recordValidation']>[3];

/** Keeps a run's validation once, and shows the newest verdict on the version itself. */
export async function insertValidation(
  transaction: Transaction<Database>,
  author: Author,
  model: string,
  version: number,
  validation: Validation,
): Promise<void> {
  const inserted = await transaction
    .insertInto('validations')
    .values({
      model,
      version,
      verdict: validation.verdict,
      policy: validation.policy,
      samples: validation.samples,
      metrics: JSON.stringify(validation.metrics),
      checks: JSON.stringify(validation.checks),
      report_uri: validation.reportUri,
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .onConflict((conflict) => conflict.columns(['model', 'version', 'workflow_id', 'run_id']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (!inserted) return;
  await transaction
    .updateTable('fine_tuned_models')
    .set({
      verdict: validation.verdict,
      report_uri: validation.reportUri,
      ...metricColumns(validation.metrics),
      updated_at: sql`clock_timestamp()`,
    })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}

/** The metrics that `fine_tuned_models` has columns for; null where nobody measured them. */
function metricColumns(metrics: Metrics) {
  const latencySeconds = metrics['latency.mean_s'] ?? null;
  return {
    win_rate: metrics.winRate ?? null,
    gold_star_rate: metrics.goldStarRate ?? null,
    avg_rating: metrics.avgRating ?? null,
    consistency_score: metrics.consistency ?? null,
    tokens_per_second: metrics['tokens.perSecond'] ?? null,
    latency_ms: latencySeconds === null ? null : latencySeconds * 1000,
    vram_usage_gb: metrics['vram.gb'] ?? null,
  };
}
