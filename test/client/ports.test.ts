import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePort, withPortRetries } from '../../src/client/stack/ports.js';
import { StackError } from '../../src/client/stack/stack-error.js';

async function listen(host: string) {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

it('takes the preferred port while it is free, and another one while it is not', async () => {
  const taken = await listen('127.0.0.1');
  expect(await freePort(taken.port)).not.toBe(taken.port);
  taken.close();
  expect(await freePort(taken.port)).toBe(taken.port);
});

it('sees a port that somebody holds on all addresses', async () => {
  const taken = await listen('0.0.0.0');
  expect(await freePort(taken.port)).not.toBe(taken.port);
  taken.close();
});

it('tries again when another program was quicker, but not for any other failure', async () => {
  const attempts: number[] = [];
  const result = await withPortRetries(async (attempt) => {
    attempts.push(attempt);
    if (attempt === 0) throw new StackError('temporal ended: listen: address already in use');
    return 'started';
  });
  expect(result).toBe('started');
  expect(attempts).toEqual([0, 1]);
  await expect(withPortRetries(() => Promise.reject(new StackError('exit code 3')))).rejects.toThrow(
    'exit code 3',
  );
});
