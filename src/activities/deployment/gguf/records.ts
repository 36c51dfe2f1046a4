import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeploymentRequest } from '../../../domain/deployment.js';
import { PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { readRecord, writeRecord } from '../../record-files.js';
import type { ChatFormat } from './gguf-header.js';
import type { ModelManifest } from './model-manifest.js';

/** Target-specific. */
export type TargetSettings = Readonly<Record<string, unknown>>;

/** One deployment of a GGUF file. */
export interface DeploymentRecord<Settings extends TargetSettings = TargetSettings> {
  /** What inference clients are given; a later deployment of the same name has another one. */
  readonly deploymentId: string;
  readonly request: DeploymentRequest & { readonly settings: Settings };
  /** Of what was asked for when it was created; see `hashRequest`. */
  readonly requestHash: string;
  /** The model that answers now: the request's, until an update. */
  readonly modelId: string;
  readonly model: ModelManifest;
  /** How the model is spoken to; null where whatever serves it finds that out by itself. */
  readonly chat: ChatFormat | null;
  /** ISO-8601. */
  readonly createdAt: string;
}

/** Where the deployments of one target are written down. Names are checked; each change is one step. */
export interface DeploymentRecords<Settings extends TargetSettings = TargetSettings> {
  /** Null when nothing bears that name, whoever made it. */
  open(name: string): Promise<DeploymentRecord<Settings> | null>;
  /** Everybody's, ours and others'. */
  list(): Promise<DeploymentRecord<Settings>[]>;
  /** False when another one of that name was quicker, or when `mayAppear` says no at the last moment. */
  create(record: DeploymentRecord<Settings>, mayAppear: () => boolean): Promise<boolean>;
  replace(record: DeploymentRecord<Settings>): Promise<void>;
  /** Succeeds when there is none. */
  delete(name: string): Promise<void>;
}

export function newDeploymentId(target: string, name: string): string {
  return `${target}/${name}/${randomUUID().slice(0, 8)}`;
}

/** The deployment's name where an identifier is one of this target's; null for any other. */
export function nameIn(target: string, deploymentId: string): string | null {
  const [first, name, last, ...more] = deploymentId.split('/');
  const isOfTarget = first === target && more.length === 0 && /^[0-9a-z]+$/.test(last ?? '');
  return isOfTarget && isName(name ?? '') ? (name ?? null) : null;
}

/** A deployment that carries our tags and is this very one; null for any other and for none. */
export async function openServed<Settings extends TargetSettings>(
  records: DeploymentRecords<Settings>,
  target: string,
  deploymentId: string,
): Promise<DeploymentRecord<Settings> | null> {
  const name = nameIn(target, deploymentId);
  const record = name === null ? null : await records.open(name);
  return record !== null && isOurs(record) && record.deploymentId === deploymentId ? record : null;
}

export function isOurs({ request }: Pick<DeploymentRecord, 'request'>): boolean {
  return request.tags['anneal:owner'] === 'anneal';
}

/** Files `<home>/local/deployments/<target>/<name>.json`, for what this machine serves. `home` is absolute. */
export function createRecordsOnDisk<Settings extends TargetSettings>(
  home: string,
  target: string,
): DeploymentRecords<Settings> {
  const directory = directoryOf(home, target);
  const pathOf = (name: string) => recordPath(home, target, name);
  return {
    open: async (name) => readRecord<DeploymentRecord<Settings>>(pathOf(name)),

    async list() {
      const names = (await namesIn(directory)).filter((name) => /^[^.].*\.json$/.test(name));
      const records = await Promise.all(
        names.sort().map((name) => readRecord<DeploymentRecord<Settings>>(join(directory, name))),
      );
      return records.filter((record) => record !== null);
    },

    async create(record, mayAppear) {
      const path = pathOf(record.request.name);
      const beside = join(directory, `.incoming.${randomUUID()}`);
      await mkdir(directory, { recursive: true });
      try {
        await writeFile(beside, JSON.stringify(record, null, 2), { flush: true });
        if (!mayAppear()) return false;
        // Unlike a rename, a link never replaces what is there.
        await link(beside, path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      } finally {
        await rm(beside, { force: true });
      }
    },

    replace: async (record) => writeRecord(pathOf(record.request.name), record),

    delete: async (name) => rm(pathOf(name), { force: true }),
  };
}

/** Every record on this machine's disk, of whatever target: who needs a file says it there. */
export async function listRecordsOnDisk(home: string): Promise<DeploymentRecord[]> {
  const targets = await namesIn(join(home, 'local', 'deployments'));
  const lists = await Promise.all(targets.map((target) => createRecordsOnDisk(home, target).list()));
  return lists.flat();
}

/** Objects `deployments/<target>/<name>.json`, for what serves elsewhere: every worker sees the same ones. */
export function createRecordsInStore<Settings extends TargetSettings>(
  objects: ObjectStore,
  target: string,
): DeploymentRecords<Settings> {
  const prefix = `s3://${objects.bucket}/deployments/${target}/`;
  const uriOf = (name: string) => `${prefix}${requireName(name)}.json`;
  const read = async (uri: string) => {
    const text = await objects.getText(uri);
    return text === null ? null : (JSON.parse(text) as DeploymentRecord<Settings>);
  };
  const textOf = (record: DeploymentRecord<Settings>) => `${JSON.stringify(record, null, 2)}\n`;
  return {
    open: async (name) => read(uriOf(name)),
    async list() {
      const records = await Promise.all((await objects.list(prefix)).map(read));
      return records.filter((record) => record !== null);
    },
    async create(record, mayAppear) {
      const uri = uriOf(record.request.name);
      return mayAppear() && objects.putIfAbsent(uri, textOf(record), 'application/json');
    },
    replace: async (record) => objects.put(uriOf(record.request.name), textOf(record), 'application/json'),
    delete: async (name) => objects.delete(uriOf(name)),
  };
}

/** Where the record of a deployment on this machine lies. */
export function recordPath(home: string, target: string, name: string): string {
  return join(directoryOf(home, target), `${requireName(name)}.json`);
}

function directoryOf(home: string, target: string): string {
  return join(home, 'local', 'deployments', target);
}

function isName(name: string): boolean {
  return /^[a-zA-Z0-9][-_a-zA-Z0-9]{0,127}$/.test(name);
}

function requireName(name: string): string {
  if (isName(name)) return name;
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: deployment name: found "${name}"; allowed: up to 128 letters, digits, dashes and underscores.`,
  );
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}
