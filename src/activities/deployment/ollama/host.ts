import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { type OllamaApi, type OllamaModel, requireOllama } from '../../inference/ollama/api.js';
import { readChatFormat } from '../gguf/gguf-header.js';
import { bytesOf, filesOf, type GgufFile, weightsOf } from '../gguf/model-manifest.js';
import type { DeploymentRecord, DeploymentRecords } from '../gguf/records.js';
import type { ModelHost } from '../gguf/target.js';
import type { OllamaSettings } from './settings.js';

type Deployed = DeploymentRecord<OllamaSettings>;
type Named = Pick<DeploymentRecord, 'request' | 'model'>;

export interface OllamaHostOptions {
  readonly objects: ObjectStore;
  readonly records: DeploymentRecords<OllamaSettings>;
  /** Null where none is configured. */
  readonly api: OllamaApi | null;
}

interface Push {
  bytes: number;
  readonly done: Promise<void>;
}

/**
 * Models in an Ollama, which may run on another machine: files go from the object store through this process to its
 * HTTP interface. Each deployment has a tag of its own, which is made once and never changed: Ollama does not replace
 * a tag in one step. Who made a tag stands in its licence.
 */
export function createOllamaHost({ objects, records, api }: OllamaHostOptions): ModelHost<OllamaSettings> {
  const underWay = new Map<string, Push>();
  /** Why the last attempt for a tag failed. */
  const failures = new Map<string, unknown>();

  function push(ollama: OllamaApi, record: Deployed): Push {
    const tag = tagOf(record);
    const before = underWay.get(tag);
    if (before) return before;
    const state: Push = {
      bytes: 0,
      done: Promise.resolve()
        .then(() => createTag(ollama, objects, record, (bytes) => (state.bytes = bytes)))
        .then(() => withdrawIfDeleted(ollama, records, record))
        .finally(() => underWay.delete(tag)),
    };
    underWay.set(tag, state);
    return state;
  }

  const host: ModelHost<OllamaSettings> = {
    requireUsable: () => void requireOllama(api),

    async admit(request, model) {
      const tag = tagOf({ request, model });
      const known = await requireOllama(api).show(tag);
      if (known !== null && !isMarked(known.license, request.name)) {
        throw new PermanentFailure(
          'Conflict',
          `Conflict: Ollama has a model ${tag} already, which was not created by Anneal for deployment "${request.name}". Delete it with "ollama rm ${tag}" if nobody needs it, or run under another model name.`,
          [{ kind: 'deployment', name: request.name, owner: null }],
        );
      }
      return readChatFormat(objects, weightsOf({ modelId: request.modelId, model }).uri);
    },

    async look(record) {
      const ollama = requireOllama(api);
      const tag = tagOf(record);
      const known = await ollama.show(tag);
      if (known !== null) {
        const problem = findForgery(known, record);
        return problem === null ? { phase: 'ready' } : { phase: 'unusable', reason: problem };
      }
      const failure = failures.get(tag);
      if (failure instanceof PermanentFailure) return { phase: 'unusable', reason: failure.message };
      failures.delete(tag);
      const { bytes, done } = push(ollama, record);
      done.catch((error: unknown) => failures.set(tag, error));
      const percent = Math.floor((100 * bytes) / bytesOf(record.model));
      const again = failure === undefined ? '' : ` again after: ${(failure as Error).message}`;
      return { phase: 'creating', doing: `Sending the model to Ollama, ${percent} %${again}` };
    },

    async bring(next) {
      const ollama = requireOllama(api);
      if ((await ollama.show(tagOf(next))) === null) await push(ollama, next).done;
    },

    withdraw: (record) => withdraw(toRetry(api), record),

    release: (record) => withdraw(toRetry(api), record),
  };
  return host;
}

/** What is there must be deleted by a worker that can: the next attempt may find one. */
function toRetry(api: OllamaApi | null): OllamaApi {
  if (api !== null) return api;
  throw new Error('This worker cannot delete from Ollama; start it with ANNEAL_OLLAMA_URL');
}

/** `<registered model>:<version>-<eight digits that differ for each deployment and its files>`. */
export function tagOf({ request, model }: Named): string {
  const { name, tags } = request;
  const files = [name, model.sha256, ...(model.base ? [model.base.sha256] : [])].join('\n');
  const own = createHash('sha256').update(files).digest('hex').slice(0, 8);
  const version = tags['anneal:version'];
  return `${tags['anneal:model'] ?? name}:${version ? `${version}-${own}` : own}`;
}

async function createTag(
  ollama: OllamaApi,
  objects: ObjectStore,
  record: Deployed,
  report: (bytes: number) => void,
): Promise<void> {
  const { modelId, model, request } = record;
  let sent = 0;
  for (const file of filesOf(record)) {
    if (!(await ollama.hasBlob(file.sha256))) {
      await sendFile(ollama, objects, file, (bytes) => report(sent + bytes));
    }
    sent += file.bytes;
    report(sent);
  }
  const { contextTokens, threads, system, template, stop } = request.settings;
  await ollama.create({
    model: tagOf(record),
    files: { 'model.gguf': `sha256:${weightsOf(record).sha256}` },
    ...(model.base && { adapters: { 'adapter.gguf': `sha256:${model.sha256}` } }),
    license: [markOf(request.name)],
    ...(system !== undefined && { system }),
    ...(template !== undefined && { template }),
    parameters: {
      num_ctx: contextTokens,
      ...(threads !== undefined && { num_thread: threads }),
      ...(stop !== undefined && { stop }),
    },
  });
  const made = await ollama.show(tagOf(record));
  const problem = made === null ? `${modelId} is not there after it was created` : findForgery(made, record);
  if (problem !== null) throw new Error(problem);
}

async function sendFile(
  ollama: OllamaApi,
  objects: ObjectStore,
  file: GgufFile,
  report: (bytes: number) => void,
): Promise<void> {
  const body = await objects.read(file.uri);
  if (body === null) throw refused(file.uri, 'it is not there. Convert the model again');
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = body.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        bytes += chunk.length;
        report(bytes);
        done(null, chunk);
      },
    }),
  );
  body.once('error', (error) => counted.destroy(error));
  try {
    await ollama.pushBlob(file.sha256, counted);
  } catch (error) {
    if (!counted.readableEnded || !(error instanceof PermanentFailure)) throw error;
    const found = `it has ${bytes} bytes with SHA-256 ${hash.digest('hex')}`;
    throw refused(file.uri, `${found}; its manifest says ${file.bytes} with ${file.sha256}`);
  } finally {
    body.destroy();
  }
}

/** A deployment that was deleted while its file was on its way leaves nothing behind. */
async function withdrawIfDeleted(
  ollama: OllamaApi,
  records: DeploymentRecords<OllamaSettings>,
  record: Deployed,
): Promise<void> {
  const known = await records.open(record.request.name);
  if (known?.deploymentId !== record.deploymentId) await withdraw(ollama, record);
}

async function withdraw(ollama: OllamaApi, record: Named): Promise<void> {
  const tag = tagOf(record);
  const known = await ollama.show(tag);
  if (known !== null && isMarked(known.license, record.request.name)) await ollama.delete(tag);
}

/** Null where a tag is this deployment's and serves its file. */
function findForgery(known: OllamaModel, record: Deployed): string | null {
  const tag = tagOf(record);
  const remedy = `Delete it with "ollama rm ${tag}"; it is then made again`;
  if (!isMarked(known.license, record.request.name)) {
    return `Ollama's ${tag} was replaced by somebody else. ${remedy}`;
  }
  const found = [known.sha256, ...known.adapters];
  const expected = filesOf(record).map(({ sha256 }) => sha256);
  const others = found.filter((sha256) => sha256 === null || !expected.includes(sha256));
  const missing = expected.filter((sha256) => !found.includes(sha256));
  if (others.length === 0 && missing.length === 0) return null;
  const serves =
    others.length > 0
      ? `serves a file with SHA-256 ${others.map((sha256) => sha256 ?? 'unknown').join(', ')}`
      : 'lacks a file';
  return `Ollama's ${tag} ${serves}, not the deployed ${missing.join(', ') || expected.join(', ')}. ${remedy}`;
}

function markOf(name: string): string {
  return `Made by Anneal for deployment ${name}.`;
}

function isMarked(license: string, name: string): boolean {
  return license.includes(markOf(name));
}

function refused(modelId: string, reason: string): PermanentFailure {
  return new PermanentFailure(
    'ProviderRejected',
    `ProviderRejected: could not serve ${modelId}: ${reason}.`,
    [{ modelId }],
  );
}
