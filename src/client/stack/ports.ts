import { connect, createServer } from 'node:net';
import { StackError } from './stack-error.js';

/** The preferred port of this machine's loopback, or a free one where it is taken. */
export async function freePort(
  preferred: number | null,
  taken: ReadonlySet<number> = new Set(),
): Promise<number> {
  if (preferred !== null && !taken.has(preferred) && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const port = await portOfTheSystem();
    if (!taken.has(port)) return port;
  }
  throw new StackError('No free port was found on 127.0.0.1. Remedy: end programs that hold many ports.');
}

/** Between looking and taking, another program may take the port: then everything is tried anew. */
export async function withPortRetries<T>(start: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await start(attempt);
    } catch (error) {
      const isTaken =
        error instanceof StackError && /address (already )?in use|EADDRINUSE/i.test(error.message);
      if (!isTaken || attempt >= 2) throw error;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  // A listener on all addresses does not everywhere forbid one on loopback, but it answers.
  return !(await answers(port)) && (await canListen(port));
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(500, () => finish(true));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function portOfTheSystem(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
