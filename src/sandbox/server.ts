import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { answerAdmin } from './admin-routes.js';
import { loadServiceModel, type ServiceModel } from './api/model.js';
import { findRoute } from './api/router.js';
import { settleJobs } from './bedrock/job-settlement.js';
import { type BedrockContext, performBedrockCall } from './bedrock/service.js';
import { type Call, CallMeter, type Gate } from './call.js';
import { jsonReply, type Reply, type SandboxRequest } from './http/message.js';
import { openPort } from './http/port.js';
import { ServedModels } from './inference/served-models.js';
import { lockDirectory } from './lock.js';
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
}

export interface RunningSandbox {
  readonly endpoint: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts the local cloud: S3, STS, Bedrock and Bedrock Runtime on one loopback port. */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  mkdirSync(options.stateDirectory, { recursive: true });
  const directory = realpathSync(options.stateDirectory);
  const unlock = await lockDirectory(directory);
  try {
    const world = new World(directory, resolveSettings(options.settings), options.clockScale ?? null);
    const sandbox = new Sandbox(world);
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

class Sandbox {
  readonly #models: readonly ServiceModel[] = [
    loadServiceModel('bedrock'),
    loadServiceModel('bedrock-runtime'),
  ];
  readonly #meter = new CallMeter();
  readonly #invalidResponses: string[] = [];
  readonly #training: TrainingQueue;
  readonly #bedrock: BedrockContext;
  readonly #gate: Gate = this.#meter.gate;

  constructor(private readonly world: World) {
    this.#training = new TrainingQueue(world);
    this.#bedrock = {
      world,
      training: this.#training,
      models: new ServedModels(world),
      onInvalidResponse: (problem) => {
        this.#invalidResponses.push(problem.message);
        console.error(problem.message);
      },
    };
  }

  close(): void {
    this.#training.close();
  }

  async answer(request: SandboxRequest): Promise<Reply> {
    const requestId = randomUUID();
    const reply = await this.#answer(request, requestId).catch((error: unknown) => {
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
    if (request.rawPath.startsWith('/_anneal')) {
      const { world } = this;
      return answerAdmin({ world, meter: this.#meter, invalidResponses: this.#invalidResponses }, request);
    }
    const route = findRoute(this.#models, request.method, request.rawPath, request.query);
    const service = identifyService(request, route !== null, (bucket) =>
      this.world.state.buckets.has(bucket),
    );
    const region = regionOf(request);
    if (service === 'sts') {
      const call: Call = { service, operation: 'GetCallerIdentity', requestId };
      return this.#gate(call, () => performStsCall(this.world, request));
    }
    if (service === 's3') {
      const s3Call = identifyS3Call(request);
      const call: Call = { service, operation: s3Call.operation, requestId };
      return this.#gate(call, () => performS3Call(this.world, s3Call, request, region));
    }
    const call: Call = {
      service: route?.model === this.#models[1] ? 'bedrock-runtime' : 'bedrock',
      operation: route?.operation.name ?? 'Unknown',
      requestId,
    };
    return this.#gate(call, () => performBedrockCall(this.#bedrock, route, request, region));
  }
}
