import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityDigits, isAlive } from '../../process-identity.js';
import { ifAbsent, namesIn, readRecord, writeRecord } from '../../record-files.js';
import { type RecordedServer, readServer, removeServer } from './processes.js';
import type { LlamaServerSettings } from './settings.js';

/** What one server of a base model was made for: `generation.json`. Each has one adapter more than what served before. */
interface RecordedGeneration {
  /** SHA-256 of the adapters' files. */
  readonly adapters: readonly string[];
  /** The one that is new: where the server does not start, it is to blame. */
  readonly added: string;
}

/** The process that serves a generation: `server.json`. */
export interface GenerationServer extends RecordedServer {
  /** In the order of their numbers on the server; those of deleted deployments are left out. */
  readonly adapters: readonly string[];
  readonly settings: LlamaServerSettings;
  readonly name: string;
}

export interface Generation extends RecordedGeneration {
  readonly number: number;
  readonly folder: string;
  /** Null where no process was ever started. */
  readonly server: GenerationServer | null;
  readonly isAlive: boolean;
  /** Its living process has shown what it serves. */
  readonly isReady: boolean;
  /** A process of this generation, perhaps an earlier one, has shown what it serves. */
  readonly wasReady: boolean;
}

/**
 * The servers of one base model's file, in folders `1`, `2`, …: the highest that is ready answers. A server takes
 * adapters only when it starts, so that each new one makes a generation.
 */
export interface Generations {
  /** The newest first. */
  list(): Promise<Generation[]>;
  /** Does nothing where another process has made that number. */
  create(number: number, generation: RecordedGeneration): Promise<void>;
  markReady(generation: Generation, server: GenerationServer): Promise<void>;
  /** Ends its server, also where somebody asks it. Safe to repeat. */
  remove(generation: Generation): Promise<void>;
  /**
   * Says that this process asks a generation; whoever ends a superseded one waits for what is returned here to be
   * called. Null where it is gone.
   */
  beginAsking(generation: Generation): Promise<(() => Promise<void>) | null>;
  isAsked(generation: Generation): Promise<boolean>;
  /** Removes the folder where no generation is left in it. */
  close(): Promise<void>;
}

const incomingPrefix = '.incoming.';
const asking = 'asking';

/** `directory` holds the folders of all servers. */
export function createGenerations(directory: string, folder: string): Generations {
  return {
    async list() {
      const numbers = (await namesIn(folder)).filter((name) => /^\d+$/.test(name)).map(Number);
      const generations = await Promise.all(numbers.map((number) => open(folder, number)));
      return generations.filter((each) => each !== null).sort((a, b) => b.number - a.number);
    },

    async create(number, generation) {
      const beside = join(folder, `${incomingPrefix}${randomUUID()}`);
      await mkdir(join(beside, asking), { recursive: true });
      await writeRecord(join(beside, 'generation.json'), generation);
      try {
        await rename(beside, join(folder, String(number)));
      } catch (error) {
        if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      } finally {
        await rm(beside, { recursive: true, force: true });
      }
    },

    async markReady(generation, { pid, identity }) {
      await writeRecord(join(generation.folder, 'ready.json'), { pid, identity });
    },

    remove: (generation) => removeServer(directory, generation.folder),

    async beginAsking(generation) {
      const mark = join(
        generation.folder,
        asking,
        `${process.pid}.${identityDigits(process.pid)}.${randomUUID()}`,
      );
      const isThere = await writeFile(mark, '').then(() => true, ifAbsent(false));
      return isThere ? () => rm(mark, { force: true }) : null;
    },

    async isAsked(generation) {
      const marks = await namesIn(join(generation.folder, asking));
      return marks.some((mark) => {
        const [pid, identity] = mark.split('.');
        return identity === identityDigits(Number(pid));
      });
    },

    async close() {
      for (const name of await namesIn(folder)) {
        if (name.startsWith(incomingPrefix)) await rm(join(folder, name), { recursive: true, force: true });
      }
      await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error;
      });
    },
  };
}

/** What a server calls its model: it differs for each base model, generation and list of adapters. */
export function serverName(baseSha256: string, number: number, adapters: readonly string[]): string {
  const own = createHash('sha256').update(adapters.join('\n')).digest('hex').slice(0, 8);
  return `base-${baseSha256.slice(0, 12)}-${number}-${own}`;
}

async function open(parent: string, number: number): Promise<Generation | null> {
  const folder = join(parent, String(number));
  const recorded = await readRecord<RecordedGeneration>(join(folder, 'generation.json'));
  if (recorded === null) return null;
  const server = await readServer<GenerationServer>(folder);
  const ready = await readRecord<Pick<RecordedServer, 'pid' | 'identity'>>(join(folder, 'ready.json'));
  const lives = server !== null && isAlive(server);
  const isReady = lives && ready?.pid === server.pid && ready.identity === server.identity;
  return { ...recorded, number, folder, server, isAlive: lives, isReady, wasReady: ready !== null };
}
