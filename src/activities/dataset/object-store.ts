import type { Readable } from 'node:stream';

/** Files by URI (`s3://bucket/key`). A put is atomic: readers see the old object, the new one, or none. */
export interface ObjectStore {
  /** The bucket that Anneal writes to. */
  readonly bucket: string;
  /** Creates the bucket where it is missing; safe to repeat. */
  ensureBucket(): Promise<void>;
  /** Writes or replaces. */
  put(uri: string, body: string | Uint8Array, contentType?: string): Promise<void>;
  /** Writes only when nothing is there; false when something is. */
  putIfAbsent(uri: string, body: string | Uint8Array, contentType?: string): Promise<boolean>;
  /** Uploads a file of any size from local disk. */
  putFile(uri: string, path: string, contentType?: string): Promise<void>;
  /** Null when there is no such object. */
  getText(uri: string): Promise<string | null>;
  /** Null when there is no such object. */
  read(uri: string): Promise<Readable | null>;
  /** Null when there is no such object. */
  head(uri: string): Promise<{ bytes: number } | null>;
  /** URIs below a prefix, in order of key. */
  list(prefixUri: string): Promise<string[]>;
  /** Deletes one object; succeeds when it is absent. */
  delete(uri: string): Promise<void>;
}
