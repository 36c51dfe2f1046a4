import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BedrockClient,
  CreateModelCustomizationJobCommand,
  type CreateModelCustomizationJobCommandInput,
  GetModelCustomizationJobCommand,
  type GetModelCustomizationJobCommandOutput,
} from '@aws-sdk/client-bedrock';
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import type { SandboxLedger, SandboxMetrics, SandboxState } from '../../src/sandbox/admin.js';
import { startSandbox } from '../../src/sandbox/server.js';
import type { SettingsOverride } from '../../src/sandbox/settings.js';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Real clients with default settings: an endpoint, a region, dummy credentials, and nothing else. */
export function createClients(endpoint: string) {
  const configuration = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
  };
  return {
    bedrock: new BedrockClient(configuration),
    runtime: new BedrockRuntimeClient(configuration),
    s3: new S3Client(configuration),
    sts: new STSClient(configuration),
  };
}

export type Clients = ReturnType<typeof createClients>;

export function destroyClients(clients: Clients): void {
  for (const client of Object.values(clients)) client.destroy();
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'anneal-sandbox-test-'));
}

export interface TestSandbox extends Clients {
  readonly endpoint: string;
  readonly stateDirectory: string;
  admin<Answer>(path: string): Promise<Answer>;
  setClockScale(scale: number): Promise<void>;
  close(): Promise<void>;
}

/** A sandbox of its own with a bucket `data`; an hour of its time is a second unless told otherwise. */
export async function openSandbox(
  options: { clockScale?: number; settings?: SettingsOverride } = {},
): Promise<TestSandbox> {
  const stateDirectory = temporaryDirectory();
  const running = await startSandbox({
    stateDirectory,
    clockScale: options.clockScale ?? 3600,
    settings: options.settings ?? {},
  });
  const clients = createClients(running.endpoint);
  await clients.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
  return {
    ...clients,
    endpoint: running.endpoint,
    stateDirectory,
    admin: (path) => getJson(running.endpoint, path),
    setClockScale: async (scale) => {
      const body = JSON.stringify({ scale });
      await fetch(`${running.endpoint}/_anneal/clock`, { method: 'POST', body });
    },
    close: async () => {
      const { invalidResponses } = await getJson<SandboxMetrics>(running.endpoint, '/_anneal/metrics');
      destroyClients(clients);
      await running.close();
      rmSync(stateDirectory, { recursive: true, force: true });
      // Whatever a test did: no answer broke AWS's own model.
      if (invalidResponses.length > 0) throw new Error(invalidResponses.join('\n'));
    },
  };
}

export async function getJson<Answer>(endpoint: string, path: string): Promise<Answer> {
  const response = await fetch(endpoint + path);
  return (await response.json()) as Answer;
}

export type { SandboxLedger, SandboxState };

export interface ConversationRecord {
  readonly system?: { text: string }[];
  readonly messages: { role: string; content: { text: string }[] }[];
}

/** Clean records whose answers follow from their prompts. */
export function exampleRecords(count: number): ConversationRecord[] {
  const colours = ['red', 'green', 'blue', 'white', 'black'];
  return Array.from({ length: count }, (_, index) => {
    const colour = colours[index % colours.length];
    return {
      system: [{ text: 'You name the colour of things.' }],
      messages: [
        { role: 'user', content: [{ text: `Item ${index} is a ${colour} coat. Which colour is it?` }] },
        { role: 'assistant', content: [{ text: `The coat is ${colour}.` }] },
      ],
    };
  });
}

export function toJsonl(records: readonly unknown[]): string {
  return `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
}

export async function putText(clients: Clients, key: string, body: string): Promise<string> {
  await clients.s3.send(new PutObjectCommand({ Bucket: 'data', Key: key, Body: body }));
  return `s3://data/${key}`;
}

export const roleArn = 'arn:aws:iam::000000000000:role/anneal-training';
export const baseModel = 'amazon.nova-micro-v1:0:128k';

/** Uploads a small dataset and gives the request of a job on it. */
export async function jobRequest(
  clients: Clients,
  name: string,
  overrides: Partial<CreateModelCustomizationJobCommandInput> = {},
): Promise<CreateModelCustomizationJobCommandInput> {
  const training = await putText(clients, `${name}/training.jsonl`, toJsonl(exampleRecords(40)));
  return {
    jobName: `${name}-job`,
    customModelName: `${name}-model`,
    roleArn,
    baseModelIdentifier: baseModel,
    trainingDataConfig: { s3Uri: training },
    outputDataConfig: { s3Uri: `s3://data/${name}/output/` },
    hyperParameters: { epochCount: '2' },
    clientRequestToken: `${name}-token`,
    ...overrides,
  };
}

export async function createJob(
  clients: Clients,
  name: string,
  overrides: Partial<CreateModelCustomizationJobCommandInput> = {},
): Promise<string> {
  const request = await jobRequest(clients, name, overrides);
  const { jobArn } = await clients.bedrock.send(new CreateModelCustomizationJobCommand(request));
  return jobArn ?? '';
}

/** Polls until a job has ended. */
export async function awaitJob(
  clients: Clients,
  jobIdentifier: string,
): Promise<GetModelCustomizationJobCommandOutput> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const job = await clients.bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier }));
    if (job.status !== 'InProgress' && job.status !== 'Stopping') return job;
    await sleep(50);
  }
  throw new Error(`The job ${jobIdentifier} did not end.`);
}

export async function awaitCondition(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error(`Waited in vain for ${what}.`);
}

/** The name and status of the error that a call ends with. */
export async function errorOf(
  call: Promise<unknown>,
): Promise<{ name: string; status: number; message: string }> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, status: $metadata?.httpStatusCode ?? 0, message };
  }
  throw new Error('The call succeeded.');
}
