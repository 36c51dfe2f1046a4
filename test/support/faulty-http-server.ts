import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP server that does to a client what real servers do on a bad day; it serves no model. */
export interface FaultyHttpServer {
  readonly url: string;
  /** Method, path and JSON body of every request, in order. */
  readonly requests: { method: string; path: string; body: unknown }[];
  /** What the next requests to a path get, from now on. */
  answer(path: string, how: (response: ServerResponse, request: IncomingMessage) => void): void;
  close(): Promise<void>;
}

export async function startFaultyHttpServer(): Promise<FaultyHttpServer> {
  const answers = new Map<string, (response: ServerResponse, request: IncomingMessage) => void>();
  const requests: FaultyHttpServer['requests'] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const path = request.url ?? '';
    requests.push({ method: request.method ?? '', path, body: text === '' ? null : JSON.parse(text) });
    const answer = answers.get(path);
    if (answer) answer(response, request);
    else response.writeHead(404).end('{"error":"not found"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (path, how) => void answers.set(path, how),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function replyWith(status: number, body: string): (response: ServerResponse) => void {
  return (response) => void response.writeHead(status).end(body);
}

/** Sends pieces one after the other, `pauseMs` apart, and then ends the answer, or tears the connection. */
export function stream(
  pieces: readonly string[],
  { pauseMs = 0, isTorn = false }: { pauseMs?: number; isTorn?: boolean } = {},
): (response: ServerResponse) => void {
  return async (response) => {
    response.writeHead(200);
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    if (isTorn) response.destroy();
    else response.end();
  };
}
