import { ByteOrderMarkFilter, longestRowBytes, type RawRow, RowBytes, type RowReader } from './read-rows.js';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Reads JSON Lines: a row is a line, ended by LF or CRLF. A line break at the end begins no further row. */
export class LineReader implements RowReader {
  private readonly mark = new ByteOrderMarkFilter();
  private readonly pending: RowBytes;
  private line = 1;
  private lineOffset = 0;
  /** Bytes of the file before the next one to read. */
  private offset = 0;

  constructor(longestBytes = longestRowBytes) {
    this.pending = new RowBytes(longestBytes);
  }

  get hadByteOrderMark(): boolean {
    return this.mark.found;
  }

  *push(chunk: Uint8Array): Iterable<RawRow> {
    const wasMarked = this.mark.found;
    const bytes = this.mark.push(chunk);
    if (this.mark.found && !wasMarked) this.offset += 3;
    yield* this.split(bytes);
  }

  *end(): Iterable<RawRow> {
    yield* this.split(this.mark.end());
    if (this.pending.length > 0) yield this.takeRow(false);
  }

  private *split(bytes: Buffer): Iterable<RawRow> {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      if (end < 0) break;
      this.pending.append(bytes.subarray(start, end));
      this.offset += end + 1 - start;
      start = end + 1;
      yield this.takeRow(true);
    }
    this.pending.append(bytes.subarray(start));
    this.offset += bytes.length - start;
  }

  private takeRow(isTerminated: boolean): RawRow {
    const { bytes, isTooLong } = this.pending.take();
    const hasReturn = bytes.length > 0 && bytes[bytes.length - 1] === carriageReturn;
    const row: RawRow = {
      line: this.line,
      byteOffset: this.lineOffset,
      index: this.line - 1,
      bytes: hasReturn ? bytes.subarray(0, -1) : bytes,
      isTooLong,
      isTerminated,
    };
    this.line += 1;
    this.lineOffset = this.offset;
    return row;
  }
}
