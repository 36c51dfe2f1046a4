import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import type { Author } from './registry.js';

const alias = 'champion';

/**
 * Locks a model for the rest of the transaction and returns its champion, null while there is none. Whatever
 * changes versions, deployments or aliases takes this lock first, so that such changes happen one by one.
 */
export async function lockChampion(
  transaction: Transaction<Database>,
  author: Author,
  model: string,
): Promise<number | null> {
  await transaction
    .insertInto('aliases')
    .values({ model, alias, version: null, workflow_id: author.workflowId, run_id: author.runId })
    .onConflict((conflict) => conflict.columns(['model', 'alias']).doNothing())
    .execute();
  const row = await transaction
    .selectFrom('aliases')
    .select('version')
    .where('model', '=', model)
    .where('alias', '=', alias)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return row.version;
}

/** Points the alias at a version, or at nothing. */
export async function moveChampion(
  transaction: Transaction<Database>,
  author: Author,
  model: string,
  version: number | null,
): Promise<void> {
  await transaction
    .updateTable('aliases')
    .set({
      version,
      workflow_id: author.workflowId,
      run_id: author.runId,
      updated_at: sql`clock_timestamp()`,
    })
    .where('model', '=', model)
    .where('alias', '=', alias)
    .execute();
}

export async function findChampion(database: Kysely<Database>, model: string): Promise<number | null> {
  const row = await database
    .selectFrom('aliases')
    .select('version')
    .where('model', '=', model)
    .where('alias', '=', alias)
    .executeTakeFirst();
  return row?.version ?? null;
}
