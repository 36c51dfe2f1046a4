import { hashRequest } from '../../../aws/tags.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../../domain/deployment.js';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import type { OwnedPage } from '../../../domain/sweep.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import type { LlamaEngine } from '../../inference/llama-cpp/engine.js';
import { requireInstalled } from '../../inference/llama-cpp/engine.js';
import { parseTargetSettings } from '../bedrock-settings.js';
import type { DeploymentTarget } from '../target.js';
import type { FileState, ModelFiles } from './model-files.js';
import { readModelManifest } from './model-manifest.js';
import {
  createRecord,
  type DeploymentRecord,
  deleteRecord,
  isOurs,
  listRecords,
  newDeploymentId,
  openOwnRecord,
  openRecord,
  replaceRecord,
  targetName,
} from './records.js';
import { settingsSchema } from './settings.js';

export interface LlamaCppTargetOptions {
  readonly objects: ObjectStore;
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  readonly engine: Pick<LlamaEngine, 'findMissing'>;
}

/**
 * GGUF models served inside the worker process. A deployment is a record below `<home>/local/deployments` and a
 * verified file below `<home>/local/models`; all workers that serve it share one home. A model's identifier is
 * the URI of its `.gguf` file in the object store.
 */
export function createLlamaCppTarget(options: LlamaCppTargetOptions): DeploymentTarget {
  const { home, files, engine } = options;
  return {
    name: targetName,
    serves: 'gguf',
    trialTarget: null,

    resolve({ settings }) {
      requireInstalled(engine);
      return {
        settings: parseTargetSettings(settingsSchema, settings),
        // Electricity, wear and the machine's other uses are not counted.
        usdPerHour: 0,
        units: 1,
        commitmentUsd: null,
        usdPerThousandInputTokens: 0,
        usdPerThousandOutputTokens: 0,
      };
    },

    async create(request, isCurrent = () => true) {
      const existing = await adopt(home, request);
      if (existing) return existing;
      await createRecord(home, await toRecord(options, request), isCurrent);
      const created = await adopt(home, request);
      if (created) return created;
      throw new Error(`This attempt to create deployment ${request.name} was interrupted too long`);
    },

    async find(name) {
      const record = await openOwnRecord(home, name);
      return record && referenceTo(record);
    },

    async describe({ name, deploymentId }) {
      const record = await openOwnRecord(home, name);
      if (record?.deploymentId !== deploymentId) return null;
      return describeAs(record, await files.look(record));
    },

    update: (deployment, modelId) => update(options, deployment, modelId),

    async delete(name) {
      const record = await openOwnRecord(home, name);
      if (record === null) return;
      await deleteRecord(home, name);
      await files.release(record.model.sha256);
    },

    listOwned: () => listOwned(home),
  };
}

async function toRecord(
  { objects, files, engine }: LlamaCppTargetOptions,
  request: DeploymentRequest,
): Promise<DeploymentRecord> {
  const { name, modelId } = request;
  // Checked again here: what is served must not depend on who filled in the request.
  const settings = parseTargetSettings(settingsSchema, request.settings);
  requireInstalled(engine);
  const model = await readModelManifest(objects, name, modelId);
  const missingBytes = await files.missingRoom(model);
  if (missingBytes !== null) {
    const megabytes = Math.ceil(missingBytes / 1e6);
    throw new Obstacle(
      'capacity',
      `Deployment ${name} needs ${megabytes} MB more on the disk of this machine`,
    );
  }
  return {
    deploymentId: newDeploymentId(name),
    request: { ...request, settings },
    requestHash: hashRequest({ modelId, settings }),
    modelId,
    model,
    createdAt: new Date().toISOString(),
  };
}

async function adopt(home: string, request: DeploymentRequest): Promise<DeploymentReference | null> {
  const record = await openRecord(home, request.name);
  if (record === null) return null;
  const { idempotencyToken, tags } = record.request;
  const isOfThisRun = isOurs(record) && idempotencyToken === request.idempotencyToken;
  const settings = parseTargetSettings(settingsSchema, request.settings);
  if (isOfThisRun && record.requestHash === hashRequest({ modelId: request.modelId, settings })) {
    return referenceTo(record);
  }
  const owner = tags['anneal:workflow'] ?? null;
  const why = isOfThisRun
    ? 'was created by this run with other settings, so it was reset after its recipe or data were changed. Start a new run'
    : `${owner ? `belongs to workflow ${owner}` : 'was not created by Anneal'}. Delete it if nobody needs it, or run under another model name`;
  throw new PermanentFailure(
    'Conflict',
    `Conflict: the deployment "${request.name}" exists already and ${why}.`,
    [{ kind: 'deployment', name: request.name, owner }],
  );
}

/** The old model answers until the new one's file is there; its settings stay. */
async function update(
  { objects, home, files }: LlamaCppTargetOptions,
  { name, deploymentId }: DeploymentReference,
  modelId: string,
): Promise<void> {
  const open = async () => {
    const record = await openOwnRecord(home, name);
    return record?.deploymentId === deploymentId ? record : null;
  };
  if ((await open())?.modelId === modelId) return;
  const model = await readModelManifest(objects, name, modelId);
  await files.fetch(modelId, model);
  const before = await open();
  if (before) await replaceRecord(home, { ...before, modelId, model });
  await files.release((before?.model ?? model).sha256);
  if (!before) throw new Error(`The deployment ${name} is gone; somebody deleted it`);
}

function describeAs(record: DeploymentRecord, state: FileState): DeploymentDescription {
  const { modelId, createdAt } = record;
  const common = { failureMessage: null, modelId, createdAt, observedAt: new Date().toISOString() };
  switch (state.phase) {
    case 'ready':
      return { ...common, status: 'ready', rawStatus: 'Ready' };
    case 'fetching': {
      const percent = Math.floor((100 * state.bytes) / record.model.bytes);
      return { ...common, status: 'creating', rawStatus: `Fetching the model, ${percent} %` };
    }
    case 'interrupted':
      return { ...common, status: 'creating', rawStatus: `Fetching the model again after: ${state.reason}` };
    case 'unusable':
      return { ...common, status: 'failed', rawStatus: 'Failed', failureMessage: state.reason };
  }
}

/** All on one page. */
async function listOwned(home: string): Promise<OwnedPage> {
  const records = (await listRecords(home)).filter(isOurs);
  const resources = records.map(({ request, deploymentId, createdAt }) => ({
    kind: 'deployment' as const,
    provider: targetName,
    name: request.name,
    id: deploymentId,
    createdAt,
    tags: request.tags,
    usdPerHour: 0,
    settings: { ...request.settings },
  }));
  return { resources, observedAt: new Date().toISOString(), next: null };
}

function referenceTo({ request, deploymentId }: DeploymentRecord): DeploymentReference {
  return { target: targetName, name: request.name, deploymentId };
}
