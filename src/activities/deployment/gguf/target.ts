import type { z } from 'zod';
import { hashRequest } from '../../../aws/tags.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../../domain/deployment.js';
import { PermanentFailure } from '../../../domain/failures.js';
import type { OwnedPage } from '../../../domain/sweep.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { parseTargetSettings } from '../bedrock-settings.js';
import type { DeploymentTarget } from '../target.js';
import type { ChatFormat } from './gguf-header.js';
import { type ModelManifest, readModelManifest } from './model-manifest.js';
import {
  type DeploymentRecord,
  type DeploymentRecords,
  isOurs,
  newDeploymentId,
  type TargetSettings,
} from './records.js';

/** Where a model stands on its way to whatever serves it. */
export type ServingState =
  | { readonly phase: 'ready' }
  /** It goes on by itself, or with the next look; `doing` says in words with what. */
  | { readonly phase: 'creating'; readonly doing: string }
  /** It will never serve. */
  | { readonly phase: 'unusable'; readonly reason: string };

/** What serves GGUF files: this process, a process beside it, a server somewhere. */
export interface ModelHost<Settings extends TargetSettings> {
  /** Throws `PermanentFailure('InvalidInput')` with the remedy where it is not there or not configured. */
  requireUsable(): void;
  /**
   * Before a deployment is written down: throws `Obstacle` where there is no room and `PermanentFailure` where the
   * place is taken or the file unfit. Returns how the model is spoken to, where callers must know.
   */
  admit(
    request: DeploymentRequest & { readonly settings: Settings },
    model: ModelManifest,
  ): Promise<ChatFormat | null>;
  /** Looks, and brings the model nearer to serving where nothing else does. */
  look(record: DeploymentRecord<Settings>): Promise<ServingState>;
  /** Returns once `next` can serve; what the deployment serves until then goes on. */
  bring(next: DeploymentRecord<Settings>): Promise<void>;
  /** Ends the serving of a record that is about to be deleted. Safe to repeat. */
  withdraw(record: DeploymentRecord<Settings>): Promise<void>;
  /** Frees what only that record needed, once it is deleted or replaced. Safe to repeat. */
  release(record: DeploymentRecord<Settings>): Promise<void>;
  /** Ends what a killed process has left behind; called by every sweep. Absent where nothing can be. */
  tidy?(): Promise<void>;
}

export interface GgufTargetOptions<Settings extends TargetSettings> {
  readonly name: string;
  readonly settings: z.ZodType<Settings>;
  readonly objects: ObjectStore;
  readonly records: DeploymentRecords<Settings>;
  readonly host: ModelHost<Settings>;
}

/**
 * Serves GGUF files of the object store; a model's identifier is its file's URI. A deployment is a record, which is
 * written first and deleted last, so that nothing serves of which nobody knows. By the hour it costs nothing:
 * electricity, wear and the machine's other uses are not counted.
 */
export function createGgufTarget<Settings extends TargetSettings>(
  options: GgufTargetOptions<Settings>,
): DeploymentTarget {
  const { name: target, records, host } = options;
  const openOwn = async (name: string) => {
    const record = await records.open(name);
    return record && isOurs(record) ? record : null;
  };
  return {
    name: target,
    serves: 'gguf',
    trialTarget: null,
    // A processor without a GPU writes ten tokens a second.
    answerSeconds: 60,

    resolve({ settings }) {
      host.requireUsable();
      return {
        settings: parseTargetSettings(options.settings, settings),
        usdPerHour: 0,
        units: 1,
        commitmentUsd: null,
        usdPerThousandInputTokens: 0,
        usdPerThousandOutputTokens: 0,
      };
    },

    async create(request, isCurrent = () => true) {
      const existing = await adopt(options, request);
      if (existing) return existing;
      await records.create(await toRecord(options, request), isCurrent);
      const created = await adopt(options, request);
      if (created) return created;
      throw new Error(`This attempt to create deployment ${request.name} was interrupted too long`);
    },

    async find(name) {
      const record = await openOwn(name);
      return record && referenceTo(record);
    },

    async describe({ name, deploymentId }) {
      const record = await openOwn(name);
      if (record?.deploymentId !== deploymentId) return null;
      return describeAs(record, await host.look(record));
    },

    /** The old model answers until the new one can; the settings stay. */
    async update({ name, deploymentId }, modelId) {
      const open = async () => {
        const record = await openOwn(name);
        return record?.deploymentId === deploymentId ? record : null;
      };
      const known = await open();
      if (known?.modelId === modelId) return;
      if (!known) throw new Error(`The deployment ${name} is gone; somebody deleted it`);
      const model = await readModelManifest(options.objects, name, modelId);
      const request = { ...known.request, modelId };
      const next = { ...known, modelId, model, chat: await host.admit(request, model) };
      await host.bring(next);
      const before = await open();
      if (before) await records.replace(next);
      await host.release(before ?? next);
      if (!before) throw new Error(`The deployment ${name} is gone; somebody deleted it`);
    },

    async delete(name) {
      const record = await openOwn(name);
      if (record === null) return;
      await host.withdraw(record);
      await records.delete(name);
      await host.release(record);
    },

    async listOwned() {
      await host.tidy?.();
      return listOwned(target, records);
    },
  };
}

async function toRecord<Settings extends TargetSettings>(
  { name: target, objects, host, ...options }: GgufTargetOptions<Settings>,
  { settings: given, ...request }: DeploymentRequest,
): Promise<DeploymentRecord<Settings>> {
  const { name, modelId } = request;
  // Checked again here: what is served must not depend on who filled in the request.
  const settings = parseTargetSettings(options.settings, given);
  host.requireUsable();
  const model = await readModelManifest(objects, name, modelId);
  const complete = { ...request, settings } as DeploymentRecord<Settings>['request'];
  return {
    deploymentId: newDeploymentId(target, name),
    request: complete,
    requestHash: hashRequest({ modelId, settings }),
    modelId,
    model,
    chat: await host.admit(complete, model),
    createdAt: new Date().toISOString(),
  };
}

async function adopt<Settings extends TargetSettings>(
  { records, settings: schema }: GgufTargetOptions<Settings>,
  request: DeploymentRequest,
): Promise<DeploymentReference | null> {
  const record = await records.open(request.name);
  if (record === null) return null;
  const { idempotencyToken, tags } = record.request;
  const isOfThisRun = isOurs(record) && idempotencyToken === request.idempotencyToken;
  const settings = parseTargetSettings(schema, request.settings);
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

function describeAs(
  { modelId, createdAt }: Pick<DeploymentRecord, 'modelId' | 'createdAt'>,
  state: ServingState,
): DeploymentDescription {
  const common = { failureMessage: null, modelId, createdAt, observedAt: new Date().toISOString() };
  switch (state.phase) {
    case 'ready':
      return { ...common, status: 'ready', rawStatus: 'Ready' };
    case 'creating':
      return { ...common, status: 'creating', rawStatus: state.doing };
    case 'unusable':
      return { ...common, status: 'failed', rawStatus: 'Failed', failureMessage: state.reason };
  }
}

/** All on one page. */
async function listOwned<Settings extends TargetSettings>(
  target: string,
  records: DeploymentRecords<Settings>,
): Promise<OwnedPage> {
  const resources = (await records.list()).filter(isOurs).map(({ request, deploymentId, createdAt }) => ({
    kind: 'deployment' as const,
    provider: target,
    name: request.name,
    id: deploymentId,
    createdAt,
    tags: request.tags,
    usdPerHour: 0,
    settings: { ...request.settings },
  }));
  return { resources, observedAt: new Date().toISOString(), next: null };
}

function referenceTo({
  request,
  deploymentId,
}: Pick<DeploymentRecord, 'request' | 'deploymentId'>): DeploymentReference {
  return { target: request.target, name: request.name, deploymentId };
}
