import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { Readable } from 'node:stream';
import { answerAdmin } from './admin-routes.js';
import { loadServiceModel, type ServiceModel } from './api/model.js';
import { findRoute, type InvalidResponse, type Route } from './api/router.js';
import { settleJobs } from './bedrock/job-settlement.js';
import { type BedrockContext, performBedrockCall } from './bedrock/service.js';
import { type Call, CallMeter, ConnectionLost, type Gate } from './call.js';
import { FaultInjector } from './faults/injector.js';
import { namesInCall } from './faults/names.js';
import { worldAt } from './faults/past.js';
import { loadScenario } from './faults/scenarios.js';
import { type CheckedScript, type FaultScript, parseFaultScript } from './faults/script.js';
import { BodyTooLarge, jsonReply, type Reply, readBody, type SandboxRequest } from './http/message.js';
import { openPort } from './http/port.js';
import { ServedModels } from './inference/served-models.js';
import { lockDirectory } from './lock.js';
import { Machines } from './sagemaker/machines.js';
import { findSageMakerRoute, performSageMakerCall } from './sagemaker/service.js';
import { TrainingJobSettlement } from './sagemaker/settlement.js';
import { resolveSettings, type SettingsOverride } from './settings.js';
import { identifyService, regionOf } from './signature.js';
import { identifyS3Call, performS3Call } from './storage/service.js';
import { performStsCall } from './sts.js';
import { TrainingQueue } from './training/queue.js';
import { World } from './world.js';

export interface SandboxOptions {
  readonly stateDirectory: string;
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** Sandbox seconds in a real second; without it the clock goes on as it was, at first at 1. */
  readonly clockScale?: number | null;
  readonly settings?: SettingsOverride;
  /** A fault script or a scenario's name; without it the script of the state directory goes on. */
  readonly faults?: FaultScript | string;
}

export interface RunningSandbox {
  readonly endpoint: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts the local cloud: S3, STS, Bedrock, Bedrock Runtime and SageMaker on one loopback port. */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const faults = toScript(options.faults);
  mkdirSync(options.stateDirectory, { recursive: true });
  const directory = realpathSync(options.stateDirectory);
  const unlock = await lockDirectory(directory);
  try {
    const world = new World(directory, resolveSettings(options.settings), options.clockScale ?? null);
    const sandbox = new Sandbox(world, faults);
    const port = await openPort(options.port ?? 0, (request) => sandbox.answer(request));
    return {
      endpoint: `http://127.0.0.1:${port.port}`,
      port: port.port,
      close: async () => {
        sandbox.close();
        await port.close();
        world.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

function toScript(faults: SandboxOptions['faults']): CheckedScript | null {
  if (faults === undefined) return null;
  return typeof faults === 'string' ? loadScenario(faults) : parseFaultScript(faults, 'The fault script');
}

class Sandbox {
  readonly #models: readonly ServiceModel[] = [
    loadServiceModel('bedrock'),
    loadServiceModel('bedrock-runtime'),
  ];
  readonly #sageMaker = loadServiceModel('sagemaker');
  readonly #meter = new CallMeter();
  readonly #invalidResponses: string[] = [];
  readonly #training: TrainingQueue;
  readonly #machines: Machines;
  readonly #settlement: TrainingJobSettlement;
  readonly #bedrock: BedrockContext;
  readonly #faults: FaultInjector;
  readonly #gate: Gate;

  constructor(
    private readonly world: World,
    script: CheckedScript | null,
  ) {
    this.#faults = new FaultInjector(world, script, (message) => this.#invalidResponses.push(message));
    this.#gate = this.#meter.around(this.#faults.gate);
    this.#training = new TrainingQueue(world);
    this.#machines = new Machines(world, world.settings.python);
    this.#settlement = new TrainingJobSettlement(world);
    this.#bedrock = {
      world,
      training: this.#training,
      models: new ServedModels(world),
      onInvalidResponse: this.#reportInvalidResponse,
    };
  }

  close(): void {
    this.#faults.close();
    this.#training.close();
    this.#machines.close();
  }

  async answer(request: SandboxRequest): Promise<Reply> {
    const requestId = randomUUID();
    const reply = await this.#answer(request, requestId).catch((error: unknown) => {
      if (error instanceof ConnectionLost) throw error;
      if (!request.body.errored) console.error(error);
      return jsonReply(
        500,
        { message: `The sandbox failed: ${error instanceof Error ? error.message : String(error)}` },
        { 'x-amzn-errortype': 'InternalServerException' },
      );
    });
    const stamped = {
      'x-anneal-sandbox': 'simulated',
      'x-amzn-requestid': requestId,
      'x-amz-request-id': requestId,
      // As with AWS, the date is that of the clock which bills.
      date: new Date(this.world.now()).toUTCString(),
    };
    return { ...reply, headers: { ...stamped, ...reply.headers } };
  }

  async #answer(request: SandboxRequest, requestId: string): Promise<Reply> {
    settleJobs(this.world);
    await this.#settlement.settle();
    if (request.rawPath.startsWith('/_anneal')) {
      const { world } = this;
      const invalidResponses = this.#invalidResponses;
      return answerAdmin({ world, meter: this.#meter, invalidResponses, faults: this.#faults }, request);
    }
    const route = findRoute(this.#models, request.method, request.rawPath, request.query);
    const service = identifyService(request, route !== null, (bucket) =>
      this.world.state.buckets.has(bucket),
    );
    const region = regionOf(request);
    if (service === 'sts') {
      const call: Call = { service, operation: 'GetCallerIdentity', requestId, names: () => [] };
      return this.#gate(call, () => performStsCall(this.world, request));
    }
    if (service === 's3') {
      const s3Call = identifyS3Call(request);
      const { operation, bucket, key } = s3Call;
      const call: Call = { service, operation, requestId, names: () => [bucket, `${bucket}/${key}`] };
      return this.#gate(call, () => performS3Call(this.world, s3Call, request, region));
    }
    if (service === 'sagemaker') return this.#answerSageMaker(request, requestId, region);
    return this.#answerBedrock(route, request, requestId, region);
  }

  readonly #reportInvalidResponse = (problem: InvalidResponse): void => {
    this.#invalidResponses.push(problem.message);
    console.error(problem.message);
  };

  async #answerSageMaker(request: SandboxRequest, requestId: string, region: string): Promise<Reply> {
    const route = findSageMakerRoute(this.#sageMaker, request);
    const { body, replayed } = await replayable(request);
    const call: Call = {
      service: 'sagemaker',
      operation: route?.operation.name ?? 'Unknown',
      requestId,
      names: () => namesInCall(this.world.state, route, request, body),
    };
    return this.#gate(call, (view = this.#seen(call)) =>
      performSageMakerCall(view, route, replayed, region, this.#reportInvalidResponse),
    );
  }

  async #answerBedrock(
    route: Route | null,
    request: SandboxRequest,
    requestId: string,
    region: string,
  ): Promise<Reply> {
    const isRuntime = route?.model === this.#models[1];
    const { body, replayed } = await replayable(request);
    const call: Call = {
      service: isRuntime ? 'bedrock-runtime' : 'bedrock',
      operation: route?.operation.name ?? 'Unknown',
      requestId,
      // What is said in a conversation names nothing.
      names: () => namesInCall(this.world.state, route, request, isRuntime ? Buffer.alloc(0) : body),
    };
    return this.#gate(call, (view = this.#seen(call)) =>
      performBedrockCall({ ...this.#bedrock, world: view }, route, replayed, region),
    );
  }

  /** What a call sees: the present, but for lists that a reading keeps behind; see assumption 32. */
  #seen({ operation }: Call): World {
    const { listLagMinutes } = this.world.settings.readings;
    if (listLagMinutes === 0 || !operation.startsWith('List')) return this.world;
    return worldAt(this.world, this.world.now() - listLagMinutes * 60_000);
  }
}

const largestBodyBytes = 25_000_000;

/** Reads a body ahead, so that a gate can look into it; one that is too large is refused when it is performed. */
async function replayable(request: SandboxRequest): Promise<{ body: Buffer; replayed: SandboxRequest }> {
  try {
    const body = await readBody(request.body, largestBodyBytes);
    return { body, replayed: { ...request, body: Readable.from([body]) } };
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    const refused = new Readable({ read: () => refused.destroy(error) });
    return { body: Buffer.alloc(0), replayed: { ...request, body: refused } };
  }
}
