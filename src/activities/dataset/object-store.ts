import type { Readable } from 'node:stream';

export interface StoredObject {
  readonly uri: string;
  readonly bytes: number;
  /** ISO-8601, by the store's clock. */
  readonly modifiedAt: string;
}

export interface ObjectPage {
  readonly objects: readonly StoredObject[];
  /** The store's clock, ISO-8601. */
  readonly observedAt: string;
  readonly isLast: boolean;
}

/** An upload in parts that was begun and neither completed nor given up; its parts cost storage. */
export interface UnfinishedUpload {
  readonly uri: string;
  readonly uploadId: string;
  /** ISO-8601, by the store's clock. */
  readonly startedAt: string;
}

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

/** What a sweep asks of a store besides: how old its objects are, and what never became one. */
export interface ObjectInventory {
  /** Up to a thousand objects below a prefix, in order of key; those of a URI up to `after` are left out. */
  listPage(prefixUri: string, after: string | null): Promise<ObjectPage>;
  listUploads(prefixUri: string): Promise<{ uploads: readonly UnfinishedUpload[]; observedAt: string }>;
  /** Gives an upload up and frees its parts; succeeds when it is gone. */
  abortUpload(upload: Pick<UnfinishedUpload, 'uri' | 'uploadId'>): Promise<void>;
}
