import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import type {
  DeploymentConfig,
  FineTunedModelsTable,
} from '../../database/tables/fine-tuned-models.table.js';
import type { Artifact } from '../../domain/artifact.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion, ModelVersionStatus } from '../../domain/model-version.js';
import type { Author, Registry } from './registry.js';

export type NewVersion = Parameters<Registry['registerVersion']>[1];

export async function findVersion(
  database: Kysely<Database>,
  model: string,
  version: number,
): Promise<ModelVersion | null> {
  const row = await database
    .selectFrom('fine_tuned_models')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  return row ? toModelVersion(row) : null;
}

/** As `findVersion`, but a version that does not exist is the caller's mistake. */
export async function requireVersion(
  database: Kysely<Database>,
  model: string,
  version: number,
): Promise<ModelVersion> {
  const found = await findVersion(database, model, version);
  if (found) return found;
  const known = (await listVersions(database, model)).map((each) => each.version);
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: Model "${model}" has no version ${version}; ${known.length > 0 ? `it has ${known.join(', ')}` : 'nothing is registered under that name'}`,
    [{ model, version, known }],
  );
}

export async function findVersionByModelName(
  database: Kysely<Database>,
  modelName: string,
): Promise<ModelVersion | null> {
  const row = await database
    .selectFrom('fine_tuned_models')
    .selectAll()
    .where('model_name', '=', modelName)
    .executeTakeFirst();
  return row ? toModelVersion(row) : null;
}

/** Oldest first. */
export async function listVersions(database: Kysely<Database>, model: string): Promise<ModelVersion[]> {
  const rows = await database
    .selectFrom('fine_tuned_models')
    .selectAll()
    .where('model', '=', model)
    .orderBy('version')
    .execute();
  return rows.map(toModelVersion);
}

/** The caller holds the model's lock, so that no two versions get the same number. */
export async function insertNextVersion(
  transaction: Transaction<Database>,
  author: Author,
  version: NewVersion,
): Promise<ModelVersion> {
  const { newest } = await transaction
    .selectFrom('fine_tuned_models')
    .select((expression) => expression.fn.max('version').as('newest'))
    .where('model', '=', version.model)
    .executeTakeFirstOrThrow();
  const row = await transaction
    .insertInto('fine_tuned_models')
    .values({
      model: version.model,
      version: (newest ?? 0) + 1,
      recipe: version.recipe,
      provider: version.provider,
      base_model: version.baseModel,
      model_name: version.modelName,
      model_id: version.modelId,
      job_name: version.jobName,
      dataset_sha256: version.datasetSha256,
      dataset_manifest_uri: version.datasetManifestUri,
      fingerprint: version.fingerprint,
      status: 'candidate',
      workflow_id: author.workflowId,
      run_id: author.runId,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toModelVersion(row);
}

export async function setStatus(
  transaction: Transaction<Database>,
  model: string,
  version: number,
  status: ModelVersionStatus,
): Promise<void> {
  await transaction
    .updateTable('fine_tuned_models')
    .set({ status, updated_at: sql`clock_timestamp()` })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}

/** Remembers the file that a version's model was converted to. */
export async function setArtifact(
  database: Kysely<Database>,
  model: string,
  version: number,
  artifact: Artifact,
): Promise<void> {
  await database
    .updateTable('fine_tuned_models')
    .set({ artifact: JSON.stringify(artifact), updated_at: sql`clock_timestamp()` })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}

/** Remembers where a version is served; null forgets it. */
export async function setDeployment(
  transaction: Transaction<Database>,
  model: string,
  version: number,
  deployment: DeploymentConfig | null,
): Promise<void> {
  await transaction
    .updateTable('fine_tuned_models')
    .set({
      deployment_config: deployment && JSON.stringify(deployment),
      deployed_at: deployment && sql`clock_timestamp()`,
      updated_at: sql`clock_timestamp()`,
    })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}

function toModelVersion(row: Selectable<FineTunedModelsTable>): ModelVersion {
  return {
    model: row.model,
    version: row.version,
    recipe: row.recipe,
    provider: row.provider,
    baseModel: row.base_model,
    modelName: row.model_name,
    modelId: row.model_id,
    jobName: row.job_name,
    datasetSha256: row.dataset_sha256,
    datasetManifestUri: row.dataset_manifest_uri,
    fingerprint: row.fingerprint,
    artifact: row.artifact,
    status: row.status,
    verdict: row.verdict,
    reportUri: row.report_uri,
    deployment: row.deployment_config,
    workflowId: row.workflow_id,
    runId: row.run_id,
  };
}
