import { sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import type { Author, Registry } from './registry.js';

/** Keeps a run's parity table once; a version that differs from what was trained shows a failed verdict. */
export async function insertParity(
  transaction: Transaction<Database>,
  author: Author,
  model: string,
  version: number,
  { measured, verdict, rows, reportUri }: Parameters<Registry['recordParity']>[3],
): Promise<void> {
  const inserted = await transaction
    .insertInto('parity_checks')
    .values({
      model,
      version,
      measured,
      verdict,
      rows: JSON.stringify(rows),
      report_uri: reportUri,
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .onConflict((conflict) =>
      conflict.columns(['model', 'version', 'workflow_id', 'run_id', 'measured']).doNothing(),
    )
    .returning('id')
    .executeTakeFirst();
  if (!inserted || verdict === 'passed') return;
  await transaction
    .updateTable('fine_tuned_models')
    .set({ verdict, report_uri: reportUri, updated_at: sql`clock_timestamp()` })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}
