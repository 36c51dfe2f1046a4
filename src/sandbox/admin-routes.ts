import { isJsonObject } from '../domain/json.js';
import type { SandboxClockChange, SandboxHealth, SandboxLedger, SandboxMetrics } from './admin.js';
import { describeState } from './billing.js';
import type { CallMeter } from './call.js';
import { listScenarios, putFaults } from './faults/admin.js';
import type { FaultInjector } from './faults/injector.js';
import { jsonReply, type Reply, readBody, type SandboxRequest } from './http/message.js';
import type { World } from './world.js';

export interface AdminContext {
  readonly world: World;
  readonly meter: CallMeter;
  readonly invalidResponses: readonly string[];
  readonly faults: FaultInjector;
}

/** Answers what lies under `/_anneal/`. */
export async function answerAdmin(context: AdminContext, request: SandboxRequest): Promise<Reply> {
  const { world } = context;
  switch (`${request.method} ${request.rawPath}`) {
    case 'GET /_anneal/health':
      return jsonReply(200, health(world));
    case 'GET /_anneal/state':
      return jsonReply(200, describeState(world, context.faults.hasFailed));
    case 'GET /_anneal/ledger':
      return jsonReply(200, { simulated: true, entries: world.state.ledger } satisfies SandboxLedger);
    case 'GET /_anneal/metrics':
      return jsonReply(200, {
        simulated: true,
        operations: context.meter.operations,
        invalidResponses: context.invalidResponses,
      } satisfies SandboxMetrics);
    case 'POST /_anneal/clock':
      return changeClock(world, await readBody(request.body, 10_000));
    case 'GET /_anneal/faults':
      return jsonReply(200, context.faults.describe());
    case 'PUT /_anneal/faults':
      return putFaults(context.faults, await readBody(request.body, 1_000_000));
    case 'DELETE /_anneal/faults':
      context.faults.install({ faults: [] });
      return jsonReply(200, context.faults.describe());
    case 'GET /_anneal/faults/scenarios':
      return jsonReply(200, listScenarios());
    default:
      return jsonReply(404, {
        message: `There is no ${request.method} ${request.rawPath}; there are GET /_anneal/health, /_anneal/state, /_anneal/ledger, /_anneal/metrics, /_anneal/faults and /_anneal/faults/scenarios, POST /_anneal/clock, PUT and DELETE /_anneal/faults.`,
      });
  }
}

function health(world: World): SandboxHealth {
  return {
    ok: true,
    simulated: true,
    pid: process.pid,
    stateDirectory: world.stateDirectory,
    time: new Date(world.now()).toISOString(),
    clockScale: world.clock.scale,
  };
}

function changeClock(world: World, body: Buffer): Reply {
  let change: unknown;
  try {
    change = JSON.parse(body.toString('utf8'));
  } catch {
    change = null;
  }
  const scale = isJsonObject(change) ? change.scale : undefined;
  if (typeof scale !== 'number' || !isUsableScale(scale)) {
    return jsonReply(400, {
      message: `scale is ${JSON.stringify(scale) ?? 'missing'}; allowed is a number above 0, up to ${largestScale}, for instance {"scale": 720}.`,
    });
  }
  world.clock.setScale(scale);
  return jsonReply(200, { scale } satisfies SandboxClockChange);
}

export const largestScale = 1_000_000;

export function isUsableScale(scale: number): boolean {
  return Number.isFinite(scale) && scale > 0 && scale <= largestScale;
}
