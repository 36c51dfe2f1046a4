import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes sure that one process alone works on a state directory. The lock is a listening socket, so that it
 * ends with its process, however that ends.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = socketPath(directory);
  const server = createServer((socket) => socket.end());
  for (let attempt = 1; ; attempt += 1) {
    try {
      await listen(server, path);
      server.unref();
      return () => new Promise((resolve) => server.close(() => resolve()));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      if (attempt > 2 || (await isAnswered(path))) {
        throw new Error(
          `Another sandbox works on ${directory}; stop it first, or give this one another --state-directory.`,
        );
      }
      rmSync(path, { force: true });
    }
  }
}

function socketPath(directory: string): string {
  const name = `anneal-sandbox-${createHash('sha256').update(directory).digest('hex').slice(0, 24)}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  const beside = join(directory, 'lock.sock');
  // The operating system allows about a hundred bytes for a socket's path.
  return Buffer.byteLength(beside) < 100 ? beside : join(tmpdir(), `${name}.sock`);
}

function listen(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
