/** What the sandbox remembers of S3; the bytes lie in files of their own. */
export interface ObjectRecord {
  /** The name of the file that holds the bytes. */
  readonly blob: string;
  readonly bytes: number;
  /** With quotation marks, as HTTP carries it. */
  readonly etag: string;
  readonly crc32: string | null;
  readonly contentType: string;
  /** `cache-control`, `content-disposition`, `content-encoding`, `content-language`, `expires`, `x-amz-meta-*`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly modifiedAt: number;
}

export interface PartRecord {
  readonly number: number;
  readonly blob: string;
  readonly bytes: number;
  readonly md5: string;
  readonly modifiedAt: number;
}

export interface UploadRecord {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

export interface BucketRecord {
  readonly name: string;
  readonly region: string;
  readonly createdAt: number;
  readonly objects: Map<string, ObjectRecord>;
  /** Bytes of all objects now, and bytes × milliseconds until `meteredAt`, for the bill. */
  bytes: number;
  byteMs: number;
  meteredAt: number;
}

export interface UploadState extends UploadRecord {
  readonly parts: Map<number, PartRecord>;
}
