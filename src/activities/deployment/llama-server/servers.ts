import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../../domain/json.js';
import { hashFile } from '../../hash-file.js';
import { isAlive } from '../../process-identity.js';
import type { ModelFiles } from '../gguf/model-files.js';
import { type DeploymentRecord, recordPath } from '../gguf/records.js';
import type { ServingState } from '../gguf/target.js';
import { createBaseModelServers } from './base-model-servers.js';
import {
  askWhoItIs,
  describeForgery,
  describeInVain,
  endDeleted,
  findMissingMemory,
  freePort,
  type LlamaServerTools,
  launch,
  readServer,
  removeServer,
  startsInVain,
  toCommand,
  urlAt,
} from './processes.js';
import { type LlamaServerSettings, targetName } from './settings.js';

export type Served = DeploymentRecord<LlamaServerSettings>;

export interface ServersOptions extends LlamaServerTools {
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
}

/** A server that is there for one question, and stays until that is answered. */
export interface HeldServer {
  readonly url: string;
  /** What it calls its model. */
  readonly name: string;
  /** Fields of the request that choose the deployment's adapter. */
  readonly more: JsonObject;
  release(): Promise<void>;
}

/**
 * The llama-server processes of this machine, on the loopback interface alone: one for each deployment and file of
 * whole weights, and one for all deployments of adapters on the same base model's file.
 */
export interface Servers {
  /** Looks at a deployment's server, and starts it where none lives; its files must be there. */
  keepGoing(record: Served): Promise<ServingState>;
  /** A server that answers for a deployment now; else what it is about. */
  hold(record: Served): Promise<HeldServer | Exclude<ServingState, { readonly phase: 'ready' }>>;
  /** Ends what only that deployment needed, once it is deleted or replaced. Safe to repeat. */
  stop(record: Served): Promise<void>;
  /** Ends what a killed process has left running. */
  tidy(): Promise<void>;
}

export function createServers(options: ServersOptions): Servers {
  const directory = join(options.home, 'local', 'servers');
  const own = createOwnServers(options, directory);
  const shared = createBaseModelServers(options, directory);
  const choose = ({ model }: Served) => (model.base ? shared : own);
  return {
    keepGoing: (record) => choose(record).keepGoing(record),
    hold: (record) => choose(record).hold(record),
    stop: (record) => choose(record).stop(record),
    async tidy() {
      await shared.tidy();
      await endDeleted(directory);
    },
  };
}

/** What a server of whole weights calls its model: it differs for each deployment and each file. */
export function nameOf({ request, deploymentId, model }: Served): string {
  const own = createHash('sha256').update(`${deploymentId}\n${model.sha256}`).digest('hex').slice(0, 8);
  return `${request.name}-${own}`;
}

/** Servers of whole weights. */
function createOwnServers(
  { home, files, program, python }: ServersOptions,
  directory: string,
): Omit<Servers, 'tidy'> {
  /** Starts since a server last answered, by its folder. */
  const starts = new Map<string, number>();
  /** However many ask at once, one of them starts. */
  const underWay = new Map<string, Promise<ServingState>>();
  const folderOf = (record: Served) => join(directory, nameOf(record));

  async function start(record: Served): Promise<ServingState> {
    const folder = folderOf(record);
    const path = files.pathOf(record.model.sha256);
    const count = starts.get(folder) ?? 0;
    if (count >= startsInVain) return { phase: 'unusable', reason: await describeInVain(folder, count) };
    const missing = findMissingMemory(record.model.bytes);
    if (missing) return missing;
    const sha256 = await hashFile(path);
    if (sha256 !== record.model.sha256) return { phase: 'unusable', reason: describeForgery(path, sha256) };
    await mkdir(folder, { recursive: true });
    const port = await freePort((await readServer(folder))?.port ?? 0);
    const needs = recordPath(home, targetName, record.request.name);
    const { settings } = record.request;
    const command = toCommand({ program, model: path, adapters: [], name: nameOf(record), port, settings });
    const isOurs = await launch(python, { folder, needs, command, record: { port } });
    if (isOurs) starts.set(folder, count + 1);
    return { phase: 'creating', doing: 'Starting llama-server' };
  }

  async function keepGoing(record: Served): Promise<ServingState> {
    const folder = folderOf(record);
    const server = await readServer(folder);
    if (server === null || !isAlive(server)) {
      const starting = underWay.get(folder) ?? start(record).finally(() => underWay.delete(folder));
      underWay.set(folder, starting);
      return starting;
    }
    const state = await askWhoItIs(server, nameOf(record));
    if (state.phase === 'ready') starts.delete(folder);
    return state;
  }

  return {
    keepGoing,

    async hold(record) {
      const state = await keepGoing(record);
      if (state.phase !== 'ready') return state;
      const server = await readServer(folderOf(record));
      if (server === null) return { phase: 'creating', doing: 'llama-server was taken away at this moment' };
      return { url: urlAt(server.port), name: nameOf(record), more: {}, release: async () => {} };
    },

    async stop(record) {
      starts.delete(folderOf(record));
      await removeServer(directory, folderOf(record));
    },
  };
}
