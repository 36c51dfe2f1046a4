import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { DeploymentUsage } from './deployment-usage.js';

const writeEveryMs = 60_000;
/** Of deployments that are asked no more only the time of the last write is kept; this bounds how many. */
const rememberedDeployments = 1_000;

export function createDeploymentUsage(database: Kysely<Database>): DeploymentUsage {
  const writtenAtMs = new Map<string, number>();
  return {
    note(deploymentId) {
      const nowMs = Date.now();
      if (nowMs - (writtenAtMs.get(deploymentId) ?? 0) < writeEveryMs) return;
      if (writtenAtMs.size >= rememberedDeployments) writtenAtMs.clear();
      writtenAtMs.set(deploymentId, nowMs);
      // A use that was not written makes a deployment look idle: the next answer tries again.
      write(database, deploymentId).catch(() => writtenAtMs.delete(deploymentId));
    },

    async idleHours(deploymentIds) {
      if (deploymentIds.length === 0) return new Map();
      const rows = await database
        .selectFrom('deployment_usage')
        .select(['deployment_id', 'last_used_at'])
        .select(
          sql<number>`extract(epoch from clock_timestamp() - last_used_at)::double precision / 3600`.as(
            'hours',
          ),
        )
        .where('deployment_id', 'in', [...deploymentIds])
        .execute();
      return new Map(
        rows.map(({ deployment_id, hours, last_used_at }) => [
          deployment_id,
          { hours: Math.max(0, hours), at: last_used_at.toISOString() },
        ]),
      );
    },

    async recordRelease(author, { model, version, deploymentName, target, settings }) {
      await database
        .insertInto('idle_releases')
        .values({
          model,
          version,
          deployment_name: deploymentName,
          target,
          settings: JSON.stringify(settings),
          workflow_id: author.workflowId,
          run_id: author.runId,
        })
        // One that could not be given back the first time may serve another version by the second.
        .onConflict((conflict) =>
          conflict.column('deployment_name').doUpdateSet({
            version,
            settings: JSON.stringify(settings),
            workflow_id: author.workflowId,
            run_id: author.runId,
            at: sql`clock_timestamp()`,
          }),
        )
        .execute();
    },

    async lastRelease(model, version) {
      const row = await database
        .selectFrom('idle_releases')
        .selectAll()
        .where('model', '=', model)
        .where('version', '=', version)
        .orderBy('at', 'desc')
        .executeTakeFirst();
      if (!row) return null;
      const { deployment_name: deploymentName, target, settings } = row;
      return { model, version, deploymentName, target, settings };
    },
  };
}

/** Other workers write too: the newest use stays, and a minute has one write whoever it comes from. */
async function write(database: Kysely<Database>, deploymentId: string): Promise<void> {
  await database
    .insertInto('deployment_usage')
    .values({ deployment_id: deploymentId, last_used_at: sql`clock_timestamp()` })
    .onConflict((conflict) =>
      conflict
        .column('deployment_id')
        .doUpdateSet({ last_used_at: sql`clock_timestamp()` })
        .where('deployment_usage.last_used_at', '<', sql<Date>`clock_timestamp() - interval '1 minute'`),
    )
    .execute();
}
