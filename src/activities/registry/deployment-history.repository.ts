import type { Kysely, Selectable, Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import type { DeploymentHistoryTable } from '../../database/tables/deployment-history.table.js';
import type { DeploymentConfig } from '../../database/tables/fine-tuned-models.table.js';
import type { DeploymentAction, DeploymentEvent } from '../../domain/model-version.js';
import type { Author } from './registry.js';

export interface NewDeploymentEvent {
  readonly model: string;
  readonly version: number;
  readonly action: DeploymentAction;
  readonly previousVersion: number | null;
  readonly deployment: DeploymentConfig | null;
  readonly deployedBy: string;
  readonly notes: string;
}

export async function appendEvent(
  transaction: Transaction<Database>,
  author: Author,
  event: NewDeploymentEvent,
): Promise<void> {
  await transaction
    .insertInto('deployment_history')
    .values({
      model: event.model,
      version: event.version,
      action: event.action,
      previous_version: event.previousVersion,
      deployment_config: event.deployment && JSON.stringify(event.deployment),
      deployed_by: event.deployedBy,
      notes: event.notes,
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .execute();
}

/** What this very run did to this version before: how a repeated call recognises itself. */
export async function findOwnEvent(
  database: Kysely<Database>,
  author: Author,
  event: Pick<NewDeploymentEvent, 'model' | 'version' | 'action'>,
): Promise<DeploymentEvent | null> {
  const row = await database
    .selectFrom('deployment_history')
    .selectAll()
    .where('model', '=', event.model)
    .where('version', '=', event.version)
    .where('action', '=', event.action)
    .where('workflow_id', '=', author.workflowId)
    .where('run_id', '=', author.runId)
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return row ? toDeploymentEvent(row) : null;
}

/**
 * Whether this very deployment was ever recorded for a version. Another of the same name was not: a run that was
 * reset after a clean-up creates it anew, under an identifier of its own.
 */
export async function wasDeployed(
  database: Kysely<Database>,
  model: string,
  version: number,
  deploymentId: string,
): Promise<boolean> {
  const row = await database
    .selectFrom('deployment_history')
    .select('id')
    .where('model', '=', model)
    .where('version', '=', version)
    .where('action', '=', 'deploy')
    .where((expression) =>
      expression(expression.ref('deployment_config', '->>').key('deploymentId'), '=', deploymentId),
    )
    .executeTakeFirst();
  return row !== undefined;
}

/** Oldest first; with `until`, only what had happened by then. */
export async function listEvents(
  database: Kysely<Database>,
  model: string,
  until?: Date,
): Promise<DeploymentEvent[]> {
  let query = database.selectFrom('deployment_history').selectAll().where('model', '=', model);
  if (until) query = query.where('at', '<=', until);
  const rows = await query.orderBy('id').execute();
  return rows.map(toDeploymentEvent);
}

/** The version that answers after these events, read oldest first; null when none does. */
export function servedAfter(events: readonly Pick<DeploymentEvent, 'action' | 'version'>[]): number | null {
  let champion: number | null = null;
  let isDeployed = false;
  for (const { action, version } of events) {
    if (action === 'promote' || action === 'rollback') {
      champion = version;
      isDeployed = true;
    }
    if (version !== champion) continue;
    if (action === 'deploy') isDeployed = true;
    if (action === 'undeploy') isDeployed = false;
    if (action === 'teardown') champion = null;
  }
  return isDeployed ? champion : null;
}

function toDeploymentEvent(row: Selectable<DeploymentHistoryTable>): DeploymentEvent {
  return {
    model: row.model,
    version: row.version,
    action: row.action,
    previousVersion: row.previous_version,
    deploymentId: row.deployment_config?.deploymentId ?? null,
    deployedBy: row.deployed_by,
    notes: row.notes,
    workflowId: row.workflow_id,
    runId: row.run_id,
    at: row.at.toISOString(),
  };
}
