import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  GetModelCustomizationJobCommand,
  GetProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, it } from 'vitest';
import { provideProgram } from '../../scripts/setup/programs.mjs';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { SandboxHealth } from '../../src/sandbox/admin.js';
import { startSandbox } from '../../src/sandbox/server.js';
import {
  awaitJob,
  type Clients,
  createClients,
  destroyClients,
  errorOf,
  getJson,
  jobRequest,
  putText,
  type SandboxLedger,
  type SandboxState,
  temporaryDirectory,
} from './sandbox.js';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

interface Started {
  readonly child: ChildProcess;
  readonly clients: Clients;
  readonly endpoint: string;
}

async function start(stateDirectory: string, clockScale: number): Promise<Started> {
  const arguments_ = [await provideProgram(repositoryRoot, 'sandbox'), '--state-directory', stateDirectory];
  const child = spawn(process.execPath, [...arguments_, '--clock-scale', String(clockScale)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  undo.push(() => child.kill('SIGKILL'));
  const line = await once(createInterface(child.stdout as NodeJS.ReadableStream), 'line');
  const { ready, endpoint } = JSON.parse(String(line[0]));
  expect(ready).toBe(true);
  const clients = createClients(endpoint);
  undo.push(() => destroyClients(clients));
  return { child, clients, endpoint };
}

async function kill(started: Started): Promise<void> {
  started.child.kill('SIGKILL');
  await once(started.child, 'exit');
}

function directory(): string {
  const path = temporaryDirectory();
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it('loses nothing to kill -9, learns again what was cut off, and still knows its tokens', async () => {
  const stateDirectory = directory();
  const before = await start(stateDirectory, 600);
  await before.clients.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
  const request = await jobRequest(before.clients, 'crash');
  const create = new CreateModelCustomizationJobCommand(request);
  const { jobArn } = await before.clients.bedrock.send(create);
  await kill(before);
  // The kind of line that a process leaves behind when it is killed while it writes.
  appendFileSync(join(stateDirectory, 'journal.jsonl'), '{"type":"object.put","buck');

  const after = await start(stateDirectory, 3600);
  expect((await after.clients.bedrock.send(create)).jobArn).toBe(jobArn);
  const job = await awaitJob(after.clients, jobArn ?? '');
  expect(job.status).toBe('Completed');
  const object = await after.clients.s3.send(
    new GetObjectCommand({ Bucket: 'data', Key: 'crash/training.jsonl' }),
  );
  expect((await object.Body?.transformToString())?.split('\n')).toHaveLength(41);
  const provision = new CreateProvisionedModelThroughputCommand({
    provisionedModelName: 'crash',
    modelId: job.outputModelArn,
    modelUnits: 1,
  });
  const { provisionedModelArn } = await after.clients.bedrock.send(provision);
  const seen = await getJson<SandboxState>(after.endpoint, '/_anneal/state');
  await kill(after);

  const last = await start(stateDirectory, 3600);
  const throughput = await last.clients.bedrock.send(
    new GetProvisionedModelThroughputCommand({ provisionedModelId: provisionedModelArn }),
  );
  expect(throughput.modelArn).toBe(job.outputModelArn);
  const same = await last.clients.bedrock.send(
    new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }),
  );
  expect(same.endTime).toEqual(job.endTime);
  expect(same.trainingMetrics).toEqual(job.trainingMetrics);
  const { entries } = await getJson<SandboxLedger>(last.endpoint, '/_anneal/ledger');
  const jobLines = entries.filter((entry) => entry.kind === 'trainingJob');
  expect(jobLines.map((entry) => entry.action)).toEqual(['create', 'complete']);
  const state = await getJson<SandboxState>(last.endpoint, '/_anneal/state');
  expect(Date.parse(state.time)).toBeGreaterThanOrEqual(Date.parse(seen.time));
  expect(state.usd).toBeGreaterThanOrEqual(seen.usd);
});

it('trains the same model from the same data', async () => {
  const losses = await Promise.all(
    [1, 2].map(async () => {
      const stateDirectory = directory();
      const running = await startSandbox({ stateDirectory, clockScale: 36_000 });
      const clients = createClients(running.endpoint);
      await clients.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
      const request = await jobRequest(clients, 'twice');
      await clients.bedrock.send(new CreateModelCustomizationJobCommand(request));
      const { trainingMetrics } = await awaitJob(clients, 'twice-job');
      destroyClients(clients);
      await running.close();
      return trainingMetrics?.trainingLoss;
    }),
  );
  expect(losses[0]).toBeGreaterThan(0);
  expect(losses[0]).toBe(losses[1]);
});

it('ends by itself when its parent lets go of it, and on SIGTERM', async () => {
  const left = await start(directory(), 1);
  left.child.disconnect();
  expect((await once(left.child, 'exit'))[0]).toBe(0);
  const stopped = await start(directory(), 1);
  stopped.child.kill('SIGTERM');
  expect((await once(stopped.child, 'exit'))[0]).toBe(0);
});

it('refuses a state directory that another sandbox works on, and a port that is taken', async () => {
  const stateDirectory = directory();
  const running = await startSandbox({ stateDirectory });
  await expect(startSandbox({ stateDirectory })).rejects.toThrow(/Another sandbox works on/);
  const elsewhere = directory();
  await expect(startSandbox({ stateDirectory: elsewhere, port: running.port })).rejects.toThrow(/EADDRINUSE/);
  await running.close();
  const again = await startSandbox({ stateDirectory });
  expect(await getJson<SandboxHealth>(again.endpoint, '/_anneal/health')).toMatchObject({ simulated: true });
  await again.close();
});

it('keeps what was there when an upload breaks off in the middle', async () => {
  const stateDirectory = directory();
  const running = await startSandbox({ stateDirectory });
  const clients = createClients(running.endpoint);
  await clients.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
  await putText(clients, 'kept', 'before');
  const socket = connectTcp(running.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('PUT /data/kept HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf of it');
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  const object = await clients.s3.send(new GetObjectCommand({ Bucket: 'data', Key: 'kept' }));
  expect(await object.Body?.transformToString()).toBe('before');
  expect(await errorOf(clients.s3.send(new GetObjectCommand({ Bucket: 'data', Key: 'x' })))).toMatchObject({
    name: 'NoSuchKey',
  });
  destroyClients(clients);
  await running.close();
});
