import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { State } from '../state.js';

export interface StoredBlob {
  readonly blob: string;
  readonly bytes: number;
  readonly md5: string;
  /** Base64, as S3 carries it. */
  readonly crc32: string;
}

/**
 * The bytes of objects, parts and nothing else: each in a file of its own that is complete before it has
 * its name, and never changes after. What no journal entry names is removed at the next start.
 */
export class BlobStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  async write(body: Readable): Promise<StoredBlob> {
    const blob = randomUUID();
    const unfinished = `${this.#path(blob)}.new`;
    const measure = new Measure();
    try {
      await pipeline(body, measure, createWriteStream(unfinished));
      await rename(unfinished, this.#path(blob));
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw error;
    }
    return { blob, ...measure.result() };
  }

  writeSync(bytes: Uint8Array): StoredBlob {
    const blob = randomUUID();
    writeFileSync(this.#path(blob), bytes);
    const measure = new Measure();
    measure.add(Buffer.from(bytes));
    return { blob, ...measure.result() };
  }

  /** Joins parts into one blob; the parts stay. */
  concatenate(blobs: readonly string[]): Promise<StoredBlob> {
    const open = (blob: string) => createReadStream(this.#path(blob));
    return this.write(
      Readable.from(
        (async function* () {
          for (const blob of blobs) yield* open(blob);
        })(),
      ),
    );
  }

  read(blob: string, start: number, endInclusive: number): Readable {
    if (endInclusive < start) return Readable.from([]);
    return createReadStream(this.#path(blob), { start, end: endInclusive });
  }

  remove(blob: string): void {
    rmSync(this.#path(blob), { force: true });
  }

  /** Where a blob's bytes lie, to be read only. */
  path(blob: string): string {
    return this.#path(blob);
  }

  /** A second name for the same bytes, which outlives the object: what a job reads is what was there. */
  snapshot(blob: string, path: string): void {
    rmSync(path, { force: true });
    linkSync(this.#path(blob), path);
  }

  removeUnreferenced(state: State): void {
    const referenced = new Set<string>();
    for (const bucket of state.buckets.values()) {
      for (const object of bucket.objects.values()) referenced.add(object.blob);
    }
    for (const upload of state.uploads.values()) {
      for (const part of upload.parts.values()) referenced.add(part.blob);
    }
    for (const name of readdirSync(this.#directory)) if (!referenced.has(name)) this.remove(name);
  }

  #path(blob: string): string {
    return join(this.#directory, blob);
  }
}

class Measure extends Transform {
  #bytes = 0;
  #crc = 0;
  readonly #md5 = createHash('md5');

  add(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#crc = crc32(chunk, this.#crc);
    this.#md5.update(chunk);
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.add(chunk);
    done(null, chunk);
  }

  result() {
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(this.#crc);
    return { bytes: this.#bytes, md5: this.#md5.digest('hex'), crc32: checksum.toString('base64') };
  }
}
