import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { repositoryRoot } from '../../../src/client/repository-root.js';
import { leaseWorkflowId } from '../../../src/domain/lease.js';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import type { Addresses } from '../../support/addresses.js';
import { conversationLines } from '../../support/run-specs.js';
import { startTestServers, type TestServers } from '../../support/servers.js';
import { startService, type TestService, type TestServiceOptions } from '../../support/service.js';
import { KillControl } from './kill-control.js';
import { newCanary, type SecretScan, scanForSecrets } from './secrets.js';
import { provideWorker, provideWorkflows } from './worker-bundle.js';
import { WorkerPair } from './worker-process.js';

/** The servers of a campaign, and a folder for everything that its processes write. */
export interface World {
  readonly addresses: Addresses;
  readonly folder: string;
  openLane(options?: LaneOptions): Promise<Lane>;
  /** Ends a lane that no later case uses. */
  closeLane(lane: Lane): Promise<void>;
  /** Looks for the workers' secrets in everything that servers, clouds and workers have written so far. */
  scanForSecrets(): Promise<SecretScan>;
  /** Ends every lane, then the servers that this world has started. */
  close(keepFolder?: boolean): Promise<void>;
}

export interface LaneOptions extends Omit<TestServiceOptions, 'addresses' | 'worker'> {
  /**
   * `killable`: processes that can be killed and are replaced at once; `inside`: a worker in this process;
   * `none`: the campaign brings its own.
   */
  readonly worker?: 'killable' | 'inside' | 'none';
}

/** A cloud, a database, a task queue and a worker of one's own, on the servers that all share. */
export interface Lane extends TestService {
  readonly index: number;
  /** Logs, control files and data. */
  readonly folder: string;
  /** What a worker process of this lane has in its environment, canary secrets among it. */
  readonly workerEnvironment: NodeJS.ProcessEnv;
  /** Null unless the lane's worker is killable. */
  readonly workers: WorkerPair | null;
  readonly control: KillControl;
  /** The smallest lifecycle that goes through every stage; `policies.unreachable` is one that nothing passes. */
  smallRun(model: string, more?: Partial<RunSpec>): RunSpec;
  setFaults(script: FaultScript | null): Promise<void>;
  /** Waits until nothing of a model is running but the leases of what it keeps; returns what still runs. */
  settle(model: string, timeoutMs?: number): Promise<string[]>;
}

const recipesFolder = join(repositoryRoot, 'recipes');
const pricesPath = join(repositoryRoot, 'prices/aws.json');
/** The server's own default is ten seconds for a workflow task that a dead worker took with it. */
export const promptTasks = ['--dynamic-config-value', 'history.defaultWorkflowTaskTimeout="3s"'];

/** Starts servers of its own unless addresses are given. */
export async function openWorld(given: Addresses | null, signal?: AbortSignal): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-campaign-'));
  const [servers, bundlePath] = await prepare(folder, [
    given ? Promise.resolve(null) : startTestServers({ temporalArguments: promptTasks, signal }),
    provideWorkflows(),
  ]);
  const addresses = { ...(given ?? (servers as Addresses)), bundlePath };
  const secrets = { 'the AWS secret key': newCanary(), 'the Postgres password': newCanary() };
  const lanes: Lane[] = [];
  const opening = new Set<Promise<unknown>>();
  let isClosed = false;
  let opened = 0;
  return {
    addresses,
    folder,
    openLane: async (options = {}) => {
      if (isClosed) throw new Error('The campaign is over');
      opened += 1;
      const lane = openLane(opened, { addresses, folder, secrets }, options);
      opening.add(lane);
      try {
        lanes.push(await lane);
      } finally {
        opening.delete(lane);
      }
      return lane;
    },
    closeLane: async (lane) => {
      const [closed] = lanes.splice(lanes.indexOf(lane), 1);
      await closed?.stop();
    },
    scanForSecrets: () =>
      scanForSecrets(
        [addresses.serversFolder, folder, ...lanes.map(({ cloudDirectory }) => cloudDirectory)],
        secrets,
      ),
    close: async (keepFolder = false) => {
      isClosed = true;
      await Promise.allSettled(opening);
      const stopped = await Promise.allSettled(lanes.map((lane) => lane.stop()));
      await servers?.close();
      if (!keepFolder) rmSync(folder, { recursive: true, force: true });
      for (const each of stopped) if (each.status === 'rejected') throw each.reason;
    },
  };
}

/** All or nothing: where one fails, the others leave nothing behind. */
async function prepare(
  folder: string,
  steps: readonly [Promise<TestServers | null>, Promise<string>],
): Promise<[TestServers | null, string]> {
  try {
    return await Promise.all(steps);
  } catch (error) {
    const [servers] = await Promise.allSettled(steps);
    if (servers.status === 'fulfilled') await servers.value?.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

interface LaneSurroundings {
  readonly addresses: Addresses;
  readonly folder: string;
  readonly secrets: { readonly 'the AWS secret key': string; readonly 'the Postgres password': string };
}

async function openLane(
  index: number,
  { addresses, folder: worldFolder, secrets }: LaneSurroundings,
  options: LaneOptions,
): Promise<Lane> {
  const folder = join(worldFolder, `lane-${index}`);
  const data = writeData(folder);
  const service = await startService({
    ...options,
    addresses,
    worker: options.worker === 'inside',
    environment: {
      ANNEAL_RECIPES: data.recipes,
      ANNEAL_LEASE_LOOK_AGAIN_SECONDS: '2',
      ...options.environment,
    },
  });
  const control = new KillControl(join(folder, 'control'));
  const workerEnvironment = {
    ...process.env,
    ...service.environment,
    DATABASE_URL: withPassword(service.environment.DATABASE_URL ?? '', secrets['the Postgres password']),
    AWS_SECRET_ACCESS_KEY: secrets['the AWS secret key'],
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    TEMPORAL_ADDRESS: addresses.temporalAddress,
    ANNEAL_WORKFLOW_BUNDLE: addresses.bundlePath,
    ANNEAL_CAMPAIGN_CONTROL: control.folder,
    ANNEAL_PRICES: pricesPath,
  };
  const isKillable = (options.worker ?? 'killable') === 'killable';
  const startWorkers = async () =>
    WorkerPair.start({
      program: await provideWorker(),
      environment: workerEnvironment,
      logPath: join(folder, 'workers.log'),
    });
  const workers = isKillable
    ? await startWorkers().catch(async (error: unknown) => {
        await service.stop();
        throw error;
      })
    : null;
  return {
    ...service,
    index,
    folder,
    workerEnvironment,
    workers,
    control,
    smallRun: (model, more = {}) => ({
      recipe: 'conversation',
      model,
      dataset: { source: { kind: 'file', path: data.conversations }, validationShare: 0 },
      training: { hyperparameters: { epochCount: 1 } },
      validation: { samples: 1 },
      force: true,
      budgetUsd: 1000,
      ...more,
    }),
    setFaults: (script) => setFaults(service.endpoint, script),
    settle: (model, timeoutMs = 60_000) => settle(service, model, timeoutMs),
    stop: async () => {
      await workers?.close();
      await service.stop();
    },
  };
}

/** Twelve conversations, and the recipe for them with one more policy. */
function writeData(folder: string): { recipes: string; conversations: string } {
  const recipes = join(folder, 'recipes');
  mkdirSync(recipes, { recursive: true });
  cpSync(join(recipesFolder, 'conversation'), join(recipes, 'conversation'), { recursive: true });
  const check = { metric: 'answered', op: '>', value: 1, critical: true };
  const policy = { schema: 'gate/v1', id: 'unreachable', mode: 'literal', checks: [check] };
  writeFileSync(join(recipes, 'conversation/policies/unreachable.json'), JSON.stringify(policy));
  const conversations = join(folder, 'conversations.jsonl');
  writeFileSync(conversations, `${conversationLines(12).join('\n')}\n`);
  return { recipes, conversations };
}

/** The embedded server trusts everybody on loopback, so that any password will do. */
function withPassword(databaseUrl: string, password: string): string {
  const url = new URL(databaseUrl);
  url.password ||= password;
  return url.href;
}

async function setFaults(endpoint: string, script: FaultScript | null): Promise<void> {
  const response = await fetch(`${endpoint}/_anneal/faults`, {
    method: script ? 'PUT' : 'DELETE',
    ...(script && { body: JSON.stringify(script) }),
  });
  if (!response.ok) throw new Error(`The sandbox refused the fault script: ${await response.text()}`);
  await response.body?.cancel();
}

async function settle(service: TestService, model: string, timeoutMs: number): Promise<string[]> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const left = await unsettled(service, model);
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What runs although no kept version of the model needs it; a query of each lease would need a worker. */
async function unsettled(service: TestService, model: string): Promise<string[]> {
  const versions = await service.dependencies.registry.versions(model);
  const kept = versions.filter(({ status }) => status === 'champion' || status === 'previous');
  const needed = new Set(
    kept.flatMap(({ modelName, deployment }) => [
      leaseWorkflowId({ kind: 'training-job', name: modelName }),
      ...(deployment ? [leaseWorkflowId({ kind: 'deployment', name: deployment.name })] : []),
    ]),
  );
  const query = `TaskQueue = "${service.taskQueue}" AND ExecutionStatus = "Running"`;
  const left: string[] = [];
  for await (const { workflowId } of service.client.workflow.list({ query })) {
    const isOfModel = workflowId.includes(`/${model}`);
    if (isOfModel && !needed.has(workflowId)) left.push(workflowId);
  }
  return left;
}

/** Ends a workflow that a campaign has no more use for, if it has not ended. */
export async function terminateIfRunning(service: TestService, workflowId: string): Promise<void> {
  try {
    await service.client.workflow.getHandle(workflowId).terminate('the campaign goes on');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
