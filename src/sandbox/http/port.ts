import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createNetServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply, SandboxRequest } from './message.js';

export interface Port {
  readonly port: number;
  /** Stops listening, lets running requests end for a moment, then cuts what is left. */
  close(): Promise<void>;
}

/**
 * Listens on one loopback port for HTTP/1.1 and HTTP/2 without TLS: an HTTP/2 client with prior knowledge
 * starts with `PRI`, which is no HTTP/1.1 method.
 */
export async function openPort(
  port: number,
  handle: (request: SandboxRequest) => Promise<Reply>,
): Promise<Port> {
  const answer = (
    incoming: IncomingMessage | Http2ServerRequest,
    outgoing: ServerResponse | Http2ServerResponse,
  ) => void serve(handle, incoming, outgoing);
  const http1 = createHttp1Server({ keepAliveTimeout: 65_000, requestTimeout: 0 }, answer);
  const http2 = createHttp2Server(answer);
  http2.on('sessionError', () => {});
  const sockets = new Set<Socket>();
  const listener = createNetServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    peek(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit('connection', socket));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', resolve);
  });
  const address = listener.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () => closeAll(listener, sockets, () => http1.closeIdleConnections()),
  };
}

function peek(socket: Socket, decide: (isHttp2: boolean) => void): void {
  const onReadable = () => {
    const first: Buffer | null = socket.read();
    if (first === null) return;
    socket.unshift(first);
    if (first.length < 3 && 'PRI'.startsWith(first.toString('latin1'))) return;
    socket.removeListener('readable', onReadable);
    decide(first.toString('latin1', 0, 3) === 'PRI');
  };
  socket.on('readable', onReadable);
}

async function serve(
  handle: (request: SandboxRequest) => Promise<Reply>,
  incoming: IncomingMessage | Http2ServerRequest,
  outgoing: ServerResponse | Http2ServerResponse,
): Promise<void> {
  try {
    const reply = await handle(toRequest(incoming));
    outgoing.writeHead(reply.status, reply.headers);
    if (reply.body instanceof Readable) await pipeline(reply.body, outgoing as ServerResponse);
    else (outgoing as ServerResponse).end(reply.body ?? undefined);
    incoming.resume();
  } catch {
    // The peer went away, or a stored file broke off in the middle: only cutting the answer short tells the
    // truth once the headers are gone.
    if ('stream' in outgoing) outgoing.stream.destroy();
    else outgoing.destroy();
  }
}

function toRequest(incoming: IncomingMessage | Http2ServerRequest): SandboxRequest {
  const url = incoming.url ?? '/';
  const mark = url.indexOf('?');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !name.startsWith(':')) {
      headers[name] = Array.isArray(value) ? value.join(',') : value;
    }
  }
  return {
    method: incoming.method ?? 'GET',
    rawPath: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers,
    body: incoming,
  };
}

async function closeAll(
  listener: ReturnType<typeof createNetServer>,
  sockets: Set<Socket>,
  closeIdle: () => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
  closeIdle();
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, 200);
  await closed;
  clearTimeout(cut);
}
