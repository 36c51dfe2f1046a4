import { ListCustomModelsCommand } from '@aws-sdk/client-bedrock';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AwsClients, createAwsClients } from '../../src/aws/clients.js';
import { toFailure } from '../../src/aws/to-failure.js';
import { createCallLimit } from '../../src/database/call-limit.js';
import { createPool } from '../../src/database/database.js';
import { Obstacle } from '../../src/domain/failures.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';

let sandbox: TestSandbox;
let database: TestDatabase;
const pools: pg.Pool[] = [];
const made: AwsClients[] = [];

beforeAll(async () => {
  sandbox = await startTestSandbox();
  database = await createTestDatabase();
});

afterAll(async () => {
  for (const clients of made) clients.destroy();
  for (const pool of pools) await pool.end();
  await sandbox.close();
  await database.drop();
});

/** Clients as another worker has them: a process of its own shares nothing but the database. */
function workerClients(account: string, callsPerSecond: number, databaseUrl = database.databaseUrl) {
  const pool = createPool(databaseUrl);
  pools.push(pool);
  const clients = createAwsClients({
    cloud: 'sandbox',
    endpoint: sandbox.endpoint,
    region: 'us-east-1',
    callLimit: createCallLimit({ pool, account, callsPerSecond }),
  });
  made.push(clients);
  return clients.bedrock;
}

/** Milliseconds until all of `calls` were answered, asked by `clients` in turn, all at once. */
async function timeCalls(clients: ReturnType<typeof workerClients>[], calls: number): Promise<number> {
  const startedMs = Date.now();
  const asked = Array.from({ length: calls }, (_, index) =>
    clients[index % clients.length]?.send(new ListCustomModelsCommand({})),
  );
  await Promise.all(asked);
  return Date.now() - startedMs;
}

it('holds all workers together to the calls of one account', async () => {
  // Four in the first second, four in the next: the last two cannot come before the third.
  const tookMs = await timeCalls([workerClients('one', 4), workerClients('one', 4)], 10);
  expect(tookMs).toBeGreaterThan(1_990);
});

it('counts each account and each API for itself', async () => {
  const pool = createPool(database.databaseUrl);
  pools.push(pool);
  const busy = createCallLimit({ pool, account: 'busy', callsPerSecond: 1 });
  const waits = await Promise.all([busy.take('List'), busy.take('List'), busy.take('List')]);
  expect(waits.filter((ms) => ms > 0).length).toBeGreaterThanOrEqual(1);
  expect(await busy.take('Get')).toBe(0);
  expect(await createCallLimit({ pool, account: 'idle', callsPerSecond: 1 }).take('List')).toBe(0);
});

it('says what is used up, and that it goes on by itself, when there is no room for long', async () => {
  const clients = workerClients('crowded', 1);
  const calls = Array.from({ length: 40 }, () => clients.send(new ListCustomModelsCommand({})));
  const outcomes = await Promise.allSettled(calls);
  const refused = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  const failure = toFailure(refused.reason, 'list models');
  expect(failure).toBeInstanceOf(Obstacle);
  expect((failure as Obstacle).kind).toBe('throttling');
  expect((failure as Obstacle).message).toMatch(
    /ANNEAL_CALLS_PER_SECOND allows for BedrockClient\.ListCustomModelsCommand are used up.*goes on by itself/,
  );
}, 30_000);

it('keeps to the limit alone while the database is away', async () => {
  const clients = workerClients('alone', 2, 'postgres://nobody@127.0.0.1:1/nothing');
  expect(await timeCalls([clients], 5)).toBeGreaterThan(1_990);
});
