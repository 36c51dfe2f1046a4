import type { RowProblem } from '../../domain/recipe.js';

/** The longest row that is read; what is longer is skipped without keeping it in memory. */
export const longestRowBytes = 10 * 1024 * 1024;

/** The bytes of one row and where they stand. Line breaks and separators are not part of it. */
export interface RawRow {
  /** 1-based line on which the row begins. */
  readonly line: number;
  /** Offset within the file of the first byte of the line, or of the value in a JSON document. */
  readonly byteOffset: number;
  /** 0-based number of the row within its file. */
  readonly index: number;
  readonly bytes: Buffer;
  /** The row is longer than `longestRowBytes`; `bytes` is then empty. */
  readonly isTooLong: boolean;
  /** False for a row that the end of the file cut off. */
  readonly isTerminated: boolean;
  /** What is wrong between the rows, for instance a missing comma. */
  readonly fault?: RowProblem;
}

/** Turns the chunks of a file into rows; memory is bounded by the chunk and one row. */
export interface RowReader {
  push(chunk: Uint8Array): Iterable<RawRow>;
  end(): Iterable<RawRow>;
  /** Whether the file began with a UTF-8 byte order mark, which is no part of the first row. */
  readonly hadByteOrderMark: boolean;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Removes a byte order mark from the beginning of a stream of chunks of any size. */
export class ByteOrderMarkFilter {
  found = false;
  private isDecided = false;
  private held: Buffer = Buffer.alloc(0);

  /** What of the stream is known to be contents by now. */
  push(chunk: Uint8Array): Buffer {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.isDecided) return bytes;
    const start = Buffer.concat([this.held, bytes]);
    const compared = Math.min(start.length, byteOrderMark.length);
    const isPrefix = start.subarray(0, compared).equals(byteOrderMark.subarray(0, compared));
    if (isPrefix && compared < byteOrderMark.length) {
      this.held = start;
      return Buffer.alloc(0);
    }
    this.isDecided = true;
    this.held = Buffer.alloc(0);
    this.found = isPrefix;
    return isPrefix ? start.subarray(byteOrderMark.length) : start;
  }

  /** Bytes that looked like the beginning of a mark until the stream ended. */
  end(): Buffer {
    const rest = this.held;
    this.held = Buffer.alloc(0);
    this.isDecided = true;
    return rest;
  }
}

/** The bytes of a row that arrives in pieces, up to the longest row. */
export class RowBytes {
  isTooLong = false;
  length = 0;
  private pieces: Buffer[] = [];

  constructor(private readonly longestBytes = longestRowBytes) {}

  append(piece: Buffer): void {
    this.length += piece.length;
    if (this.length > this.longestBytes) {
      this.isTooLong = true;
      this.pieces = [];
    } else if (piece.length > 0) {
      this.pieces.push(piece);
    }
  }

  take(): { bytes: Buffer; isTooLong: boolean } {
    const [only] = this.pieces;
    const bytes = this.pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.pieces);
    const taken = { bytes, isTooLong: this.isTooLong };
    this.pieces = [];
    this.length = 0;
    this.isTooLong = false;
    return taken;
  }
}
