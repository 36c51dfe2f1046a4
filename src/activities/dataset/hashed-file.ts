import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

const flushBytes = 512 * 1024;

/** A file of lines on local disk that knows its hash, size and number of lines. */
export class HashedFile {
  records = 0;
  bytes = 0;
  private readonly hash = createHash('sha256');
  private lines: string[] = [];
  private buffered = 0;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(path, await open(path, 'w'));
  }

  /** Adds a line; call `flush` where `isFlushDue`. */
  add(line: string): void {
    this.lines.push(line);
    this.buffered += line.length;
    this.records += 1;
  }

  get isFlushDue(): boolean {
    return this.buffered >= flushBytes;
  }

  async flush(): Promise<void> {
    if (this.lines.length === 0) return;
    const bytes = Buffer.from(`${this.lines.join('\n')}\n`);
    this.lines = [];
    this.buffered = 0;
    this.hash.update(bytes);
    this.bytes += bytes.length;
    await this.handle.writeFile(bytes);
  }

  /** Writes what is left and closes the file. */
  async finish(): Promise<{ sha256: string; bytes: number; records: number }> {
    await this.flush();
    await this.handle.close();
    return { sha256: this.hash.digest('hex'), bytes: this.bytes, records: this.records };
  }

  /** Closes the file after a failure; safe to repeat. */
  async abandon(): Promise<void> {
    await this.handle.close().catch(() => undefined);
  }
}
