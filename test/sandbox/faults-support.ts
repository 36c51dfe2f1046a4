import { rmSync } from 'node:fs';
import { BedrockClient, CreateModelCustomizationJobCommand } from '@aws-sdk/client-bedrock';
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import type { SandboxFaults, SandboxLedger, SandboxMetrics, SandboxState } from '../../src/sandbox/admin.js';
import type { FaultScript } from '../../src/sandbox/faults/script.js';
import { startSandbox } from '../../src/sandbox/server.js';
import type { SettingsOverride } from '../../src/sandbox/settings.js';
import {
  awaitJob,
  type Clients,
  destroyClients,
  getJson,
  jobRequest,
  temporaryDirectory,
} from './sandbox.js';

/** Real clients that try once, so that every fault is seen. */
export function createImpatientClients(endpoint: string, requestTimeout = 30_000): Clients {
  const configuration = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
    maxAttempts: 1,
  };
  const requestHandler = { requestTimeout, throwOnRequestTimeout: true };
  return {
    bedrock: new BedrockClient({ ...configuration, requestHandler }),
    runtime: new BedrockRuntimeClient({ ...configuration, requestHandler: { requestTimeout } }),
    s3: new S3Client({ ...configuration, requestHandler }),
    sts: new STSClient({ ...configuration, requestHandler }),
  };
}

export interface FaultySandbox extends Clients {
  readonly endpoint: string;
  readonly stateDirectory: string;
  faults(): Promise<SandboxFaults>;
  /** Replaces the rules. */
  setFaults(...faults: FaultScript['faults']): Promise<void>;
  ledger(): Promise<SandboxLedger['entries']>;
  state(): Promise<SandboxState>;
  setClockScale(scale: number): Promise<void>;
  /** The ARN of a new model. */
  train(name: string): Promise<string>;
  close(): Promise<void>;
}

/** A sandbox with a bucket `data`; an hour of its time is a second unless told otherwise. */
export async function openFaultySandbox(
  options: {
    clockScale?: number;
    settings?: SettingsOverride;
    faults?: FaultScript | string;
    stateDirectory?: string;
  } = {},
): Promise<FaultySandbox> {
  const stateDirectory = options.stateDirectory ?? temporaryDirectory();
  const running = await startSandbox({
    stateDirectory,
    clockScale: options.clockScale ?? 3600,
    settings: options.settings ?? {},
    ...(options.faults !== undefined && { faults: options.faults }),
  });
  const { endpoint } = running;
  const clients = createImpatientClients(endpoint);
  if (!options.stateDirectory) await clients.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
  const sandbox: FaultySandbox = {
    ...clients,
    endpoint,
    stateDirectory,
    faults: () => getJson(endpoint, '/_anneal/faults'),
    setFaults: async (...faults) => {
      const response = await putFaults(endpoint, { faults });
      if (!response.ok) throw new Error(await response.text());
    },
    ledger: async () => (await getJson<SandboxLedger>(endpoint, '/_anneal/ledger')).entries,
    state: () => getJson(endpoint, '/_anneal/state'),
    setClockScale: async (scale) => {
      await fetch(`${endpoint}/_anneal/clock`, { method: 'POST', body: JSON.stringify({ scale }) });
    },
    train: async (name) => {
      const request = await jobRequest(clients, name);
      await clients.bedrock.send(new CreateModelCustomizationJobCommand(request));
      return (await awaitJob(clients, request.jobName ?? '')).outputModelArn ?? '';
    },
    close: async () => {
      const { invalidResponses } = await getJson<SandboxMetrics>(endpoint, '/_anneal/metrics');
      destroyClients(clients);
      await running.close();
      if (!options.stateDirectory) rmSync(stateDirectory, { recursive: true, force: true });
      // Whatever was faked: no answer broke AWS's own model.
      if (invalidResponses.length > 0) throw new Error(invalidResponses.join('\n'));
    },
  };
  return sandbox;
}

export function putFaults(endpoint: string, script: unknown): Promise<Response> {
  const body = typeof script === 'string' ? script : JSON.stringify(script);
  return fetch(`${endpoint}/_anneal/faults`, { method: 'PUT', body });
}
