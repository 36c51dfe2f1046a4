import { type Kysely, type Selectable, sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { FineTunedModelsTable } from '../../database/tables/fine-tuned-models.table.js';
import type { Inventory, KeptVersion } from './inventory.js';

const keepingStatuses = ['champion', 'previous', 'candidate'] as const;

export function createInventory(database: Kysely<Database>): Inventory {
  const kept = () =>
    database
      .selectFrom('fine_tuned_models')
      .selectAll()
      .select(
        sql<number>`extract(epoch from clock_timestamp() - updated_at)::double precision / 3600`.as(
          'unchanged_hours',
        ),
      )
      .where('status', 'in', [...keepingStatuses])
      .orderBy('model')
      .orderBy('version');
  return {
    async keeping(names) {
      if (names.length === 0) return [];
      const rows = await kept()
        .where((expression) =>
          expression.or([
            expression('model_name', 'in', [...names]),
            expression('job_name', 'in', [...names]),
            expression(expression.ref('deployment_config', '->>').key('name'), 'in', [...names]),
          ]),
        )
        .execute();
      return rows.map(toKeptVersion);
    },

    async page(after, limit) {
      const query = after
        ? kept().where(sql<boolean>`(model, version) > (${after.model}, ${after.version}::integer)`)
        : kept();
      return (await query.limit(limit).execute()).map(toKeptVersion);
    },

    ofModel: async (model) => (await kept().where('model', '=', model).execute()).map(toKeptVersion),

    async trainedOn(prefixUri) {
      const rows = await kept()
        .where(sql<boolean>`starts_with(dataset_manifest_uri, ${prefixUri})`)
        .execute();
      return rows.map(toKeptVersion);
    },

    async convertedOn(prefixUri) {
      const rows = await kept()
        .where(sql<boolean>`starts_with(artifact -> 'base' ->> 'uri', ${prefixUri})`)
        .execute();
      return rows.map(toKeptVersion);
    },

    async hoursSinceBuilt(prefixUri) {
      const { hours } = await database
        .selectFrom('datasets')
        .select(
          sql<
            number | null
          >`extract(epoch from clock_timestamp() - max(created_at))::double precision / 3600`.as('hours'),
        )
        .where(sql<boolean>`starts_with(manifest_uri, ${prefixUri})`)
        .executeTakeFirstOrThrow();
      return hours;
    },
  };
}

function toKeptVersion(row: Selectable<FineTunedModelsTable> & { unchanged_hours: number }): KeptVersion {
  return {
    model: row.model,
    version: row.version,
    recipe: row.recipe,
    provider: row.provider,
    baseModel: row.base_model,
    modelName: row.model_name,
    jobName: row.job_name,
    status: row.status,
    deployment: row.deployment_config,
    datasetManifestUri: row.dataset_manifest_uri,
    unchangedHours: Math.max(0, row.unchanged_hours),
  };
}
