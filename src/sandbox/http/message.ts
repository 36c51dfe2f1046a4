import type { Readable } from 'node:stream';

/** One HTTP request, the same over HTTP/1.1 and HTTP/2. */
export interface SandboxRequest {
  readonly method: string;
  /** As sent, still percent-encoded: an ARN in a path contains `%2F`, so split before decoding. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer | Readable | null;
}

export class BodyTooLarge extends Error {}

/** Reads a whole body into memory, up to a limit. */
export async function readBody(body: Readable, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > limitBytes) {
      throw new BodyTooLarge(
        `The request's body is larger than the ${limitBytes} bytes allowed; send less at once.`,
      );
    }
    chunks.push(buffer);
  }
  return Buffer.concat(chunks);
}

export function jsonReply(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}
