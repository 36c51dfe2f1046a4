import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Obstacle, PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { identityDigits } from '../../process-identity.js';
import { ifAbsent, namesIn } from '../../record-files.js';
import { bytesOf, filesOf, type GgufFile, type ModelManifest } from './model-manifest.js';
import { type DeploymentRecord, listRecordsOnDisk } from './records.js';
import type { ServingState } from './target.js';

/** Where the files of a deployment stand. */
export type FileState =
  | { readonly phase: 'ready' }
  /** Bytes so far; it goes on by itself. */
  | { readonly phase: 'fetching'; readonly bytes: number }
  /** It was interrupted; the next look tries again. */
  | { readonly phase: 'interrupted'; readonly reason: string }
  /** What the object store has is not the model that was asked for. */
  | { readonly phase: 'unusable'; readonly reason: string };

type Deployed = Pick<DeploymentRecord, 'deploymentId' | 'modelId' | 'model'>;

/**
 * The GGUF files of this machine, `<home>/local/models/<sha256>.gguf`: each complete and verified, or absent. A file
 * is there once, however many deployments need it.
 */
export interface ModelFiles {
  pathOf(sha256: string): string;
  /** Looks for a deployment's files, and fetches in the background what is missing or cut off. */
  look(record: Deployed): Promise<FileState>;
  /** Returns once they are there. Throws `PermanentFailure('ProviderRejected')` when their bytes are others. */
  fetch(record: Pick<Deployed, 'modelId' | 'model'>): Promise<void>;
  /** Deletes what no deployment needs (any more). */
  release(record: Pick<Deployed, 'modelId' | 'model'>): Promise<void>;
  /** Bytes that are missing on the disk for files to be fetched; null when there is room, or they are there. */
  missingRoom(record: Pick<Deployed, 'modelId' | 'model'>): Promise<number | null>;
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
  /** Why the last fetch of a file for a deployment failed. */
  const failures = new Map<string, unknown>();

  async function look(deploymentId: string, file: GgufFile): Promise<FileState> {
    const { sha256, bytes: size } = file;
    if (await isThere(pathOf(sha256), size)) return { phase: 'ready' };
    const key = `${deploymentId} ${sha256}`;
    const failure = failures.get(key);
    if (failure instanceof PermanentFailure) return { phase: 'unusable', reason: failure.message };
    const bytes = await bytesUnderWay(directory, sha256);
    if (bytes !== null || underWay.has(sha256)) return { phase: 'fetching', bytes: bytes ?? 0 };
    failures.delete(key);
    void fetch(file)
      // Deleted meanwhile: nobody else knows of the file any more.
      .then(() => release(sha256))
      .catch((error: unknown) => failures.set(key, error));
    return failure === undefined
      ? { phase: 'fetching', bytes: 0 }
      : { phase: 'interrupted', reason: (failure as Error).message };
  }

  function fetch(file: GgufFile): Promise<void> {
    const { sha256 } = file;
    const before = underWay.get(sha256);
    if (before) return before;
    const fetching = download(objects, directory, file, pathOf(sha256)).finally(() =>
      underWay.delete(sha256),
    );
    underWay.set(sha256, fetching);
    return fetching;
  }

  async function release(sha256: string): Promise<void> {
    const isNeeded = async () =>
      underWay.has(sha256) ||
      (await listRecordsOnDisk(home)).some((record) =>
        filesOf(record).some((file) => file.sha256 === sha256),
      );
    if (await isNeeded()) return;
    const gone = join(directory, `${deletedPrefix}${sha256}.${randomUUID()}`);
    if (!(await move(pathOf(sha256), gone))) return;
    // A deployment made in the meantime may have seen the file.
    if (await isNeeded()) await move(gone, pathOf(sha256));
    else await rm(gone, { force: true });
  }

  return {
    pathOf,

    async look(record) {
      const files = filesOf(record);
      const states = await Promise.all(files.map((file) => look(record.deploymentId, file)));
      const hindered =
        states.find(({ phase }) => phase === 'unusable') ??
        states.find(({ phase }) => phase === 'interrupted');
      if (hindered) return hindered;
      if (states.every(({ phase }) => phase === 'ready')) return { phase: 'ready' };
      const there = states.map((state, index) =>
        state.phase === 'fetching' ? state.bytes : (files[index]?.bytes ?? 0),
      );
      return { phase: 'fetching', bytes: there.reduce((sum, bytes) => sum + bytes, 0) };
    },

    fetch: async (record) => void (await Promise.all(filesOf(record).map(fetch))),

    async release(record) {
      for (const { sha256 } of filesOf(record)) await release(sha256);
    },

    async missingRoom(record) {
      let absent = 0;
      for (const { sha256, bytes } of filesOf(record)) {
        if (!(await isThere(pathOf(sha256), bytes))) absent += bytes;
      }
      if (absent === 0) return null;
      await mkdir(directory, { recursive: true });
      const { bavail, bsize } = await statfs(directory);
      const missing = absent + reserveBytes - bavail * bsize;
      return missing > 0 ? missing : null;
    },
  };
}

/** Throws `Obstacle('capacity')` where a model's files do not fit on the disk. */
export async function requireRoom(
  files: ModelFiles,
  name: string,
  record: Pick<Deployed, 'modelId' | 'model'>,
): Promise<void> {
  const missingBytes = await files.missingRoom(record);
  if (missingBytes === null) return;
  const megabytes = Math.ceil(missingBytes / 1e6);
  throw new Obstacle('capacity', `Deployment ${name} needs ${megabytes} MB more on the disk of this machine`);
}

/** Files that are there count as served. */
export function toServingState(state: FileState, model: ModelManifest): ServingState {
  switch (state.phase) {
    case 'ready':
    case 'unusable':
      return state;
    case 'fetching':
      return {
        phase: 'creating',
        doing: `Fetching the model, ${Math.floor((100 * state.bytes) / bytesOf(model))} %`,
      };
    case 'interrupted':
      return { phase: 'creating', doing: `Fetching the model again after: ${state.reason}` };
  }
}

async function download(
  objects: ObjectStore,
  directory: string,
  file: GgufFile,
  path: string,
): Promise<void> {
  if (await isThere(path, file.bytes)) return;
  await mkdir(directory, { recursive: true });
  await removeLeftovers(directory);
  const body = await objects.read(file.uri);
  if (body === null) throw refused(file.uri, 'it is not there. Convert the model again');
  const beside = join(
    directory,
    `${incomingPrefix}${file.sha256}.${process.pid}.${identityDigits(process.pid)}.${randomUUID()}`,
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
    if (sha256 !== file.sha256) {
      const found = `it has ${bytes} bytes with SHA-256 ${sha256}`;
      throw refused(file.uri, `${found}; its manifest says ${file.bytes} with ${file.sha256}`);
    }
    if (bytes !== file.bytes) {
      throw refused(file.uri, `it has ${bytes} bytes; its manifest says ${file.bytes}. Convert it again`);
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

async function isThere(path: string, bytes: number): Promise<boolean> {
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

function isBeingWritten(incomingName: string): boolean {
  const [pid, identity] = incomingName.split('.').slice(-3);
  return identity === identityDigits(Number(pid));
}

async function move(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(() => true, ifAbsent(false));
}

function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(({ size }) => size, ifAbsent(null));
}
