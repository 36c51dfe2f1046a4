import type { Kysely } from 'kysely';
import type { Database } from '../../database/database.js';
import { PermanentFailure } from '../../domain/failures.js';
import { findChampion, lockChampion } from './alias.repository.js';
import { insertDataset } from './dataset.repository.js';
import { appendEvent, listEvents, servedAfter, wasDeployed } from './deployment-history.repository.js';
import {
  findVersion,
  findVersionByModelName,
  insertNextVersion,
  listVersions,
  requireVersion,
  setArtifact,
  setDeployment,
  setStatus,
} from './model-version.repository.js';
import { insertParity } from './parity.repository.js';
import { promote } from './promotion.js';
import type { Author, Registry } from './registry.js';
import { forgetDeployment, retire } from './retirement.js';
import { upsertTrainingJob } from './training-job.repository.js';
import { insertValidation } from './validation.repository.js';

/** The registry on Postgres. Every method is one statement or one transaction. */
export function createRegistry(database: Kysely<Database>): Registry {
  return {
    recordDataset: (author, model, manifest) => insertDataset(database, author, model, manifest),

    recordTrainingJob: (author, model, request, jobId, description) =>
      upsertTrainingJob(database, author, model, request, jobId, description),

    registerVersion: (author, version) => registerVersion(database, author, version),

    recordArtifact: (author, model, version, artifact) =>
      database.transaction().execute(async (transaction) => {
        await lockChampion(transaction, author, model);
        await requireVersion(transaction, model, version);
        await setArtifact(transaction, model, version, artifact);
      }),

    recordDeployment: (author, model, version, deployment) =>
      recordDeployment(database, author, model, version, deployment),

    recordValidation: (author, model, version, validation) =>
      database.transaction().execute(async (transaction) => {
        await lockChampion(transaction, author, model);
        await requireVersion(transaction, model, version);
        await insertValidation(transaction, author, model, version, validation);
      }),

    recordParity: (author, model, version, parity) =>
      database.transaction().execute(async (transaction) => {
        await lockChampion(transaction, author, model);
        await requireVersion(transaction, model, version);
        await insertParity(transaction, author, model, version, parity);
      }),

    promote: (author, move) =>
      database.transaction().execute((transaction) => promote(transaction, author, move)),

    retire: (author, retirement) =>
      database.transaction().execute((transaction) => retire(transaction, author, retirement)),

    forgetDeployment: (author, model, version, notes) =>
      database
        .transaction()
        .execute((transaction) => forgetDeployment(transaction, author, { model, version, notes })),

    champion: async (model) => {
      const version = await findChampion(database, model);
      return version === null ? null : findVersion(database, model, version);
    },

    version: (model, version) => findVersion(database, model, version),

    versions: (model) => listVersions(database, model),

    history: (model) => listEvents(database, model),

    servedAt: async (model, at) => {
      const version = servedAfter(await listEvents(database, model, at));
      return version === null ? null : findVersion(database, model, version);
    },
  };
}

function registerVersion(
  database: Kysely<Database>,
  author: Author,
  version: Parameters<Registry['registerVersion']>[1],
) {
  return database.transaction().execute(async (transaction) => {
    await lockChampion(transaction, author, version.model);
    const existing = await findVersionByModelName(transaction, version.modelName);
    if (existing && existing.model !== version.model) {
      throw new PermanentFailure(
        'Conflict',
        `Conflict: The trained model "${version.modelName}" is already registered as version ${existing.version} of "${existing.model}", by ${existing.workflowId}`,
        [{ modelName: version.modelName, model: existing.model, version: existing.version }],
      );
    }
    return existing ?? insertNextVersion(transaction, author, version);
  });
}

function recordDeployment(
  database: Kysely<Database>,
  author: Author,
  model: string,
  version: number,
  deployment: Parameters<Registry['recordDeployment']>[3],
): Promise<void> {
  return database.transaction().execute(async (transaction) => {
    const champion = await lockChampion(transaction, author, model);
    const target = await requireVersion(transaction, model, version);
    if (await wasDeployed(transaction, model, version, deployment.deploymentId)) return;
    const { target: where, name, deploymentId, usdPerHour } = deployment;
    const config = { target: where, name, deploymentId, usdPerHour };
    await setDeployment(transaction, model, version, config);
    if (target.status === 'archived' || target.status === 'rejected') {
      await setStatus(transaction, model, version, 'candidate');
    }
    await appendEvent(transaction, author, {
      model,
      version,
      action: 'deploy',
      previousVersion: champion,
      deployment: config,
      deployedBy: author.workflowId,
      notes: '',
    });
  });
}
