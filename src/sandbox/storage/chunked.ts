import { Transform } from 'node:stream';
import { S3Error } from './error.js';

/**
 * Decodes `aws-chunked` bodies: chunks of `<size in hex>[;chunk-signature=…]\r\n<bytes>\r\n`, a last chunk
 * of size 0, then trailers such as `x-amz-checksum-crc32`. Signatures are not checked.
 */
export class ChunkDecoder extends Transform {
  readonly trailers: Record<string, string> = {};
  #pending = Buffer.alloc(0);
  #left = 0;
  #state: 'size' | 'bytes' | 'end of chunk' | 'trailers' | 'done' = 'size';

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    try {
      this.#consume(this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: (error?: Error | null) => void): void {
    const isComplete = this.#state === 'done' || this.#state === 'trailers';
    done(isComplete ? null : new S3Error('IncompleteBody', 'The aws-chunked body ended too early.'));
  }

  #consume(buffer: Buffer): void {
    let at = 0;
    while (at < buffer.length && this.#state !== 'done') {
      if (this.#state === 'bytes') {
        const part = buffer.subarray(at, at + this.#left);
        this.push(part);
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#state = 'end of chunk';
        continue;
      }
      const end = buffer.indexOf('\r\n', at);
      if (end < 0) break;
      this.#line(buffer.toString('latin1', at, end));
      at = end + 2;
    }
    this.#pending = this.#state === 'done' ? Buffer.alloc(0) : Buffer.from(buffer.subarray(at));
    if (this.#pending.length > 16_384) throw new S3Error('InvalidRequest', 'A chunk header is too long.');
  }

  #line(line: string): void {
    if (this.#state === 'end of chunk') {
      if (line !== '') throw new S3Error('InvalidRequest', 'A chunk is longer than its header says.');
      this.#state = 'size';
    } else if (this.#state === 'size') {
      const size = line.split(';')[0]?.trim() ?? '';
      if (!/^[\da-f]{1,12}$/i.test(size)) throw new S3Error('InvalidRequest', `'${size}' is no chunk size.`);
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailers' : 'bytes';
    } else if (line === '') {
      this.#state = 'done';
    } else {
      const colon = line.indexOf(':');
      if (colon > 0) this.trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
    }
  }
}
