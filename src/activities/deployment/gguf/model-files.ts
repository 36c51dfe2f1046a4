import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { processIdentity } from '../../process-identity.js';
import type { ModelManifest } from './model-manifest.js';
import { type DeploymentRecord, listRecordsOnDisk } from './records.js';
import type { ServingState } from './target.js';

/** Where the file of a deployment stands. */
export type FileState =
  | { readonly phase: 'ready' }
  /** Bytes so far; it goes on by itself. */
  | { readonly phase: 'fetching'; readonly bytes: number }
  /** It was interrupted; the next look tries again. */
  | { readonly phase: 'interrupted'; readonly reason: string }
  /** What the object store has is not the model that was asked for. */
  | { readonly phase: 'unusable'; readonly reason: string };

/** The GGUF files of this machine, `<home>/local/models/<sha256>.gguf`: each complete and verified, or absent. */
export interface ModelFiles {
  pathOf(sha256: string): string;
  /** Looks for a deployment's file, and fetches it in the background where it is missing or cut off. */
  look(record: Pick<DeploymentRecord, 'deploymentId' | 'modelId' | 'model'>): Promise<FileState>;
  /** Returns once the file is there. Throws `PermanentFailure('ProviderRejected')` when its bytes are others. */
  fetch(modelId: string, model: ModelManifest): Promise<void>;
  /** Deletes a file that no deployment needs (any more). */
  release(sha256: string): Promise<void>;
  /** Bytes that are missing on the disk for a file to be fetched; null when there is room, or it is there. */
  missingRoom(model: ModelManifest): Promise<number | null>;
}

export interface ModelFilesOptions {
  readonly objects: ObjectStore;
  /** Anneal's home. Absolute. */
  readonly home: string;
}

const deletedPrefix = '.deleted.';
const incomingPrefix = '.incoming.';
/** What a machine needs besides. */
const reserveBytes = 100e6;

export function createModelFiles({ objects, home }: ModelFilesOptions): ModelFiles {
  const directory = join(home, 'local', 'models');
  const pathOf = (sha256: string) => join(directory, `${sha256}.gguf`);
  const underWay = new Map<string, Promise<void>>();
  /** Why the last fetch for a deployment failed, by its identifier. */
  const failures = new Map<string, unknown>();

  const files: ModelFiles = {
    pathOf,

    async look(record) {
      const { deploymentId, modelId, model } = record;
      if (await isThere(pathOf(model.sha256), model)) return { phase: 'ready' };
      const failure = failures.get(deploymentId);
      if (failure instanceof PermanentFailure) return { phase: 'unusable', reason: failure.message };
      const bytes = await bytesUnderWay(directory, model.sha256);
      if (bytes !== null || underWay.has(model.sha256)) return { phase: 'fetching', bytes: bytes ?? 0 };
      failures.delete(deploymentId);
      void files
        .fetch(modelId, model)
        // Deleted meanwhile: nobody else knows of the file any more.
        .then(() => files.release(model.sha256))
        .catch((error: unknown) => failures.set(deploymentId, error));
      return failure === undefined
        ? { phase: 'fetching', bytes: 0 }
        : { phase: 'interrupted', reason: (failure as Error).message };
    },

    fetch(modelId, model) {
      const { sha256 } = model;
      const before = underWay.get(sha256);
      if (before) return before;
      const fetching = download(objects, directory, modelId, model, pathOf(sha256)).finally(() =>
        underWay.delete(sha256),
      );
      underWay.set(sha256, fetching);
      return fetching;
    },

    async release(sha256) {
      const isNeeded = async () =>
        (await listRecordsOnDisk(home)).some(({ model }) => model.sha256 === sha256) || underWay.has(sha256);
      if (await isNeeded()) return;
      const gone = join(directory, `${deletedPrefix}${sha256}.${randomUUID()}`);
      if (!(await move(pathOf(sha256), gone))) return;
      // A deployment made in the meantime may have seen the file.
      if (await isNeeded()) await move(gone, pathOf(sha256));
      else await rm(gone, { force: true });
    },

    async missingRoom(model) {
      if (await isThere(pathOf(model.sha256), model)) return null;
      await mkdir(directory, { recursive: true });
      const { bavail, bsize } = await statfs(directory);
      const missing = model.bytes + reserveBytes - bavail * bsize;
      return missing > 0 ? missing : null;
    },
  };
  return files;
}

/** Throws `Obstacle('capacity')` where a model's file does not fit on the disk. */
export async function requireRoom(files: ModelFiles, name: string, model: ModelManifest): Promise<void> {
  const missingBytes = await files.missingRoom(model);
  if (missingBytes === null) return;
  const megabytes = Math.ceil(missingBytes / 1e6);
  throw new Obstacle('capacity', `Deployment ${name} needs ${megabytes} MB more on the disk of this machine`);
}

/** A file that is there counts as served. */
export function toServingState(state: FileState, { bytes }: ModelManifest): ServingState {
  switch (state.phase) {
    case 'ready':
    case 'unusable':
      return state;
    case 'fetching':
      return {
        phase: 'creating',
        doing: `Fetching the model, ${Math.floor((100 * state.bytes) / bytes)} %`,
      };
    case 'interrupted':
      return { phase: 'creating', doing: `Fetching the model again after: ${state.reason}` };
  }
}

async function download(
  objects: ObjectStore,
  directory: string,
  modelId: string,
  model: ModelManifest,
  path: string,
): Promise<void> {
  if (await isThere(path, model)) return;
  await mkdir(directory, { recursive: true });
  await removeLeftovers(directory);
  const body = await objects.read(modelId);
  if (body === null) throw refused(modelId, 'it is not there. Convert the model again');
  const beside = join(
    directory,
    `${incomingPrefix}${model.sha256}.${process.pid}.${identityOf(process.pid)}.${randomUUID()}`,
  );
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(body, count, createWriteStream(beside, { flush: true }));
    const sha256 = hash.digest('hex');
    if (sha256 !== model.sha256) {
      const found = `it has ${bytes} bytes with SHA-256 ${sha256}`;
      throw refused(modelId, `${found}; its manifest says ${model.bytes} with ${model.sha256}`);
    }
    if (bytes !== model.bytes) {
      throw refused(modelId, `it has ${bytes} bytes; its manifest says ${model.bytes}. Convert it again`);
    }
    await rename(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
}

function refused(modelId: string, reason: string): PermanentFailure {
  return new PermanentFailure(
    'ProviderRejected',
    `ProviderRejected: could not serve ${modelId}: ${reason}.`,
    [{ modelId }],
  );
}

async function isThere(path: string, { bytes }: ModelManifest): Promise<boolean> {
  return (await sizeOf(path)) === bytes;
}

/** Of a download by any living process; null when there is none. */
async function bytesUnderWay(directory: string, sha256: string): Promise<number | null> {
  const names = (await namesIn(directory)).filter((name) => name.startsWith(`${incomingPrefix}${sha256}.`));
  const living = names.filter(isBeingWritten);
  const sizes = await Promise.all(living.map((name) => sizeOf(join(directory, name))));
  return sizes.reduce((most, size) => (size !== null && size > (most ?? -1) ? size : most), null);
}

/** What a killed process has left half fetched or half deleted. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const isTorn = name.startsWith(incomingPrefix) && !isBeingWritten(name);
    if (isTorn || name.startsWith(deletedPrefix)) await rm(join(directory, name), { force: true });
  }
}

/** Numbers of processes come again, after a restart in a container even at once; hence the identity. */
function isBeingWritten(incomingName: string): boolean {
  const [pid, identity] = incomingName.split('.').slice(-3);
  return identity === identityOf(Number(pid));
}

/** Null when there is no such process. */
function identityOf(pid: number): string | null {
  const identity = processIdentity(pid);
  return identity && createHash('sha256').update(identity).digest('hex').slice(0, 12);
}

async function move(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(() => true, ifAbsent(false));
}

function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(({ size }) => size, ifAbsent(null));
}

function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(ifAbsent<string[]>([]));
}

function ifAbsent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
    throw error;
  };
}
