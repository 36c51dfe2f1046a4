import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ObjectStore } from '../../src/activities/dataset/object-store.js';

/** An object store without a server, for tests of what stands on top of one. */
export class MemoryObjectStore implements ObjectStore {
  readonly bucket = 'anneal';
  readonly objects = new Map<string, Buffer>();

  async ensureBucket(): Promise<void> {}

  async put(uri: string, body: string | Uint8Array): Promise<void> {
    this.objects.set(uri, Buffer.from(body));
  }

  async putIfAbsent(uri: string, body: string | Uint8Array): Promise<boolean> {
    if (this.objects.has(uri)) return false;
    await this.put(uri, body);
    return true;
  }

  async putFile(uri: string, path: string): Promise<void> {
    await this.put(uri, await readFile(path));
  }

  async getText(uri: string): Promise<string | null> {
    return this.objects.get(uri)?.toString('utf8') ?? null;
  }

  async read(uri: string): Promise<Readable | null> {
    const body = this.objects.get(uri);
    return body === undefined ? null : Readable.from([body], { objectMode: false });
  }

  async head(uri: string): Promise<{ bytes: number } | null> {
    const body = this.objects.get(uri);
    return body === undefined ? null : { bytes: body.length };
  }

  async list(prefixUri: string): Promise<string[]> {
    return [...this.objects.keys()].filter((uri) => uri.startsWith(prefixUri)).sort();
  }

  async delete(uri: string): Promise<void> {
    this.objects.delete(uri);
  }
}
