import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashFile } from '../../hash-file.js';
import { namesIn } from '../../record-files.js';
import { filesOf } from '../gguf/model-manifest.js';
import { createRecordsOnDisk, recordPath } from '../gguf/records.js';
import type { ServingState } from '../gguf/target.js';
import { createGenerations, type Generation, type Generations, serverName } from './generations.js';
import { prepareAdapters } from './lora-adapters.js';
import {
  askWhoItIs,
  describeForgery,
  describeInVain,
  findMissingMemory,
  freePort,
  launch,
  startsInVain,
  toCommand,
  urlAt,
} from './processes.js';
import type { HeldServer, Served, Servers, ServersOptions } from './servers.js';
import { coversSettings, joinSettings, type LlamaServerSettings, targetName } from './settings.js';

type Refused = ServingState & { readonly phase: 'unusable' };

const prefix = 'base-';
const drainLookMs = 100;

/**
 * One server for each base model's file, which answers for all adapters on it; each question names its own. A new
 * adapter makes a new generation beside the one that serves. Once that has shown its adapters it is asked, and the one
 * before ends when what it was asked is answered. Every look, question, delete and sweep goes on with what another
 * process has left in the middle.
 */
export function createBaseModelServers(options: ServersOptions, directory: string): Servers {
  /** In the order in which they were asked for, one after the other for each base model. */
  const queues = new Map<string, Promise<unknown>>();
  const families = new Map<string, Family>();
  const familyOf = (base: string) => {
    const known = families.get(base) ?? new Family(options, directory, base);
    families.set(base, known);
    return known;
  };
  const settle = (base: string, wanted: Served | null): Promise<ServingState | null> => {
    const settled = (queues.get(base) ?? Promise.resolve())
      .catch(() => {})
      .then(() => familyOf(base).settle(wanted));
    queues.set(base, settled);
    return settled;
  };

  async function keepGoing(record: Served): Promise<ServingState> {
    const base = baseOf(record);
    const family = familyOf(base);
    const before = family.refusalOf(record);
    if (before) return before;
    const state = await settle(base, record);
    if (await family.findReady(record)) return { phase: 'ready' };
    const after = family.refusalOf(record);
    // The reason may be another deployment's.
    const doing = state?.phase === 'unusable' && !after ? null : state;
    return after ?? doing ?? { phase: 'creating', doing: 'Starting llama-server' };
  }

  return {
    keepGoing,

    async hold(record) {
      const family = familyOf(baseOf(record));
      for (;;) {
        const held = await family.hold(record);
        if (held) return held;
        const state = await keepGoing(record);
        if (state.phase !== 'ready') return state;
      }
    },

    async stop(record) {
      familyOf(baseOf(record)).forgive(record);
      await settle(baseOf(record), null);
    },

    async tidy() {
      for (const name of await namesIn(directory)) {
        if (name.startsWith(prefix)) await settle(name.slice(prefix.length), null);
      }
    },
  };
}

function baseOf({ model }: Served): string {
  return model.base?.sha256 ?? '';
}

/** The deployments of adapters on one base model's file, and what serves them. */
class Family {
  private readonly generations: Generations;
  /** Starts since a server last answered, by its folder. */
  private readonly starts = new Map<string, number>();
  /** Deployments that will never serve, and why. */
  private readonly refusals = new Map<string, string>();
  private readonly retiring = new Set<string>();

  constructor(
    private readonly options: ServersOptions,
    directory: string,
    private readonly base: string,
  ) {
    this.generations = createGenerations(directory, join(directory, `${prefix}${base}`));
  }

  refusalOf({ deploymentId }: Served): Refused | null {
    const reason = this.refusals.get(deploymentId);
    return reason === undefined ? null : { phase: 'unusable', reason };
  }

  forgive({ deploymentId }: Served): void {
    this.refusals.delete(deploymentId);
  }

  async findReady(record: Served): Promise<Generation | null> {
    const serving = (await this.generations.list()).find(({ isReady }) => isReady);
    return serving && covers(serving, record) ? serving : null;
  }

  /** One step towards one server with every living adapter; says what it is about, null where there is nothing to do. */
  async settle(wanted: Served | null): Promise<ServingState | null> {
    const living = await this.living(wanted);
    const all = await this.generations.list();
    if (living.length === 0) {
      for (const generation of all) await this.remove(generation);
      await this.generations.close();
      return null;
    }
    const serving = all.find(({ isReady }) => isReady) ?? null;
    for (const each of all) if (serving && each.number < serving.number) this.retire(each);
    const [newest] = all;
    if (newest && !newest.isReady) {
      if (newest.isAlive || isOfUse(newest, serving, living)) return this.advance(newest, living);
      await this.remove(newest);
      return { phase: 'creating', doing: 'Starting llama-server' };
    }
    if (!wanted || (serving && covers(serving, wanted))) return null;
    return this.add(wanted, newest ?? null, living);
  }

  /** Null where none that is ready answers for the deployment. */
  async hold(record: Served): Promise<HeldServer | null> {
    for (;;) {
      const serving = await this.findReady(record);
      if (!serving?.server) return null;
      const release = await this.generations.beginAsking(serving);
      if (!release) continue;
      // Written down first, then looked at again: whoever ends this one has seen the mark, or this sees its successor.
      const current = await this.findReady(record);
      const { pid, name, port, adapters } = serving.server;
      if (current?.number === serving.number && current.server?.pid === pid) {
        const lora = adapters.map((each, id) => ({ id, scale: each === record.model.sha256 ? 1 : 0 }));
        return { url: urlAt(port), name, more: { lora }, release };
      }
      await release();
    }
  }

  /** Deployments on this base model's file, with what one of them is about to serve. */
  private async living(wanted: Served | null): Promise<Served[]> {
    const records = await createRecordsOnDisk<LlamaServerSettings>(this.options.home, targetName).list();
    const isThere = records.some(({ request }) => request.name === wanted?.request.name);
    return [...records, ...(wanted && isThere ? [wanted] : [])].filter(
      ({ model }) => model.base?.sha256 === this.base,
    );
  }

  private async add(wanted: Served, newest: Generation | null, living: readonly Served[]) {
    const alive = new Set(living.map(({ model }) => model.sha256));
    const kept = (newest?.server?.adapters ?? []).filter(
      (sha256) => sha256 !== wanted.model.sha256 && alive.has(sha256),
    );
    const adapters = [...kept, wanted.model.sha256];
    await this.generations.create((newest?.number ?? 0) + 1, { adapters, added: wanted.model.sha256 });
    const [created] = await this.generations.list();
    return created ? this.advance(created, living) : null;
  }

  private async advance(generation: Generation, living: readonly Served[]): Promise<ServingState> {
    const { server } = generation;
    if (!generation.isAlive || server === null) return this.start(generation, living);
    const state = await askWhoItIs(server, server.name);
    if (state.phase !== 'ready') return state;
    const paths = server.adapters.map(this.options.files.pathOf);
    const problem = await prepareAdapters(urlAt(server.port), paths);
    if (problem !== null) {
      await this.remove(generation);
      return { phase: 'unusable', reason: problem };
    }
    await this.generations.markReady(generation, server);
    this.starts.delete(generation.folder);
    for (const each of await this.generations.list()) {
      if (each.number < generation.number) this.retire(each);
    }
    return state;
  }

  private async start(generation: Generation, living: readonly Served[]): Promise<ServingState> {
    const { folder, number } = generation;
    const count = this.starts.get(folder) ?? 0;
    if (count >= startsInVain) return this.giveUp(generation, count, living);
    const serves = await this.startable(generation, living);
    const [first] = serves;
    if (!first?.model.base) {
      await this.remove(generation);
      return { phase: 'creating', doing: 'Starting llama-server' };
    }
    const missing = findMissingMemory(await this.weightsToLoad(first.model.base.bytes, serves));
    if (missing) return missing;
    const { home, files, python, program } = this.options;
    const adapters = generation.adapters.filter((sha256) =>
      serves.some(({ model }) => model.sha256 === sha256),
    );
    const settings = joinSettings(serves.map(({ request }) => request.settings));
    const port = await freePort(generation.server?.port ?? 0);
    const name = serverName(this.base, number, adapters);
    const command = toCommand({
      program,
      model: files.pathOf(this.base),
      adapters: adapters.map(files.pathOf),
      name,
      port,
      settings,
    });
    const needs = recordPath(home, targetName, first.request.name);
    const record = { port, name, adapters, settings };
    if (await launch(python, { folder, needs, command, record })) this.starts.set(folder, count + 1);
    return { phase: 'creating', doing: `Starting llama-server with ${adapters.length} adapters` };
  }

  /** Living deployments of a generation whose files are there, and are what was deployed. */
  private async startable(generation: Generation, living: readonly Served[]): Promise<Served[]> {
    const { files } = this.options;
    const serves: Served[] = [];
    for (const record of living.filter(({ model }) => generation.adapters.includes(model.sha256))) {
      const paths = filesOf(record).map(({ sha256 }) => files.pathOf(sha256));
      if (!paths.every((path) => existsSync(path))) continue;
      const reason = await this.findForgery(record);
      if (reason === null) serves.push(record);
      else this.refusals.set(record.deploymentId, reason);
    }
    return serves;
  }

  private async findForgery(record: Served): Promise<string | null> {
    for (const file of filesOf(record)) {
      const path = this.options.files.pathOf(file.sha256);
      const sha256 = await hashFile(path);
      if (sha256 !== file.sha256) return describeForgery(path, sha256);
    }
    return null;
  }

  /** A second server of the same file shares its weights. */
  private async weightsToLoad(baseBytes: number, serves: readonly Served[]): Promise<number> {
    const isShared = (await this.generations.list()).some(({ isAlive }) => isAlive);
    const adapterBytes = serves.reduce((sum, { model }) => sum + model.bytes, 0);
    return adapterBytes + (isShared ? 0 : baseBytes);
  }

  /** Where the new adapter is to blame, the others serve on without it. */
  private async giveUp(
    generation: Generation,
    count: number,
    living: readonly Served[],
  ): Promise<ServingState> {
    const reason = await describeInVain(generation.folder, count);
    if (!generation.wasReady) {
      for (const { model, deploymentId } of living) {
        if (model.sha256 === generation.added) this.refusals.set(deploymentId, reason);
      }
      await this.remove(generation);
    }
    return { phase: 'unusable', reason };
  }

  /** Ends a generation that has a successor, once what it was asked is answered. */
  private retire(generation: Generation): void {
    const { folder, number } = generation;
    if (this.retiring.has(folder)) return;
    this.retiring.add(folder);
    const drain = async () => {
      for (;;) {
        const all = await this.generations.list();
        if (!all.some((each) => each.isReady && each.number > number)) return;
        if (!(await this.generations.isAsked(generation))) return this.remove(generation);
        await sleep(drainLookMs, undefined, { ref: false });
      }
    };
    void drain()
      // The next look tries again.
      .catch(() => {})
      .finally(() => this.retiring.delete(folder));
  }

  private async remove(generation: Generation): Promise<void> {
    this.starts.delete(generation.folder);
    await this.generations.remove(generation);
  }
}

function covers({ server }: Generation, { model, request }: Served): boolean {
  if (server === null || !server.adapters.includes(model.sha256)) return false;
  return coversSettings(server.settings, request.settings);
}

/** A generation that is not ready: does it bring what the one that serves does not have? */
function isOfUse(generation: Generation, serving: Generation | null, living: readonly Served[]): boolean {
  if (serving === null) return living.some(({ model }) => generation.adapters.includes(model.sha256));
  return (
    generation.number > serving.number &&
    living.some((record) => record.model.sha256 === generation.added && !covers(serving, record))
  );
}
