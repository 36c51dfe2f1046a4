import { createHash, randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { runKey } from '../../../src/activities/run-spec/resolve.js';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import { sellsAgain } from '../../support/sandbox.js';
import type { Ending } from '../../support/service.js';
import { followHistory } from '../crash/history.js';
import type { Campaign } from '../support/campaign.js';
import type { Finding } from '../support/invariants.js';
import { randomFrom } from '../support/random.js';
import type { Lane, LaneOptions } from '../support/world.js';
import { type Point, type Scenario, specOf } from './points.js';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** Seconds between two looks of a lease at its run, and until it looks for a create that came late. */
export const watchSeconds = 6;
export const lookAgainSeconds = 8;

export const laneOptions: LaneOptions = {
  worker: 'killable',
  pollSeconds: 0.2,
  environment: {
    ANNEAL_LEASE_WATCH_SECONDS: String(watchSeconds),
    ANNEAL_LEASE_LOOK_AGAIN_SECONDS: String(lookAgainSeconds),
  },
  sandbox: {
    trainingHours: 1,
    deploymentMinutes: 30,
    throughputMinutes: 30,
    updateMinutes: 60,
    quotas: { modelUnitsWithoutCommitment: 500, deploymentsInProgress: 100, scheduledCustomizationJobs: 100 },
  },
};

/** Leases look again as late as in production, because the client's own timeouts are those of production, too. */
export const patientLaneOptions: LaneOptions = {
  ...laneOptions,
  environment: { ANNEAL_LEASE_WATCH_SECONDS: String(watchSeconds), ANNEAL_LEASE_LOOK_AGAIN_SECONDS: '45' },
};

export const forgetfulLaneOptions: LaneOptions = {
  ...laneOptions,
  sandbox: { ...laneOptions.sandbox, readings: sellsAgain },
};

const longestRunMs = 120_000;

/** What a person did, and what was seen right after. */
export interface Aftermath {
  readonly findings: readonly Finding[];
  readonly orphans: number;
}

/** A run that somebody is about to interfere with. */
export interface Staged {
  readonly lane: Lane;
  readonly model: string;
  readonly handle: WorkflowHandle;
  readonly runId: string;
  /** Of its paid resources: `<model>-<key>-t1`, `<model>-<key>-d1`. */
  readonly key: string;
}

/** Starts a run while its worker stands still, so that the faults are there before it makes any call. */
export async function stageRun(
  lane: Lane,
  model: string,
  spec: RunSpec,
  faultsOf: (name: string) => FaultScript | null = () => null,
): Promise<Staged> {
  const { client, taskQueue, workers } = lane;
  workers?.stop();
  try {
    const workflowId = `people/${model}/${randomBytes(4).toString('hex')}`;
    const handle = await client.workflow.start('fineTune', { taskQueue, workflowId, args: [spec] });
    const runId = handle.firstExecutionRunId;
    const key = `${model}-${runKey({ workflowId, originalRunId: runId })}`;
    await lane.setFaults(faultsOf(key));
    return { lane, model, handle, runId, key };
  } finally {
    workers?.continue();
  }
}

/** Waits until the run has come to a point, and stops the worker there; false when it never came. */
export async function stopAt(staged: Staged, point: Point, signal: AbortSignal): Promise<boolean> {
  if (!(await awaitPoint(staged, point, signal))) return false;
  staged.lane.workers?.stop();
  return true;
}

/** Waits until the run has come to a point; false when it ended before. */
export async function awaitPoint(
  { lane, handle, runId }: Staged,
  point: Pick<Point, 'event' | 'nth'>,
  signal: AbortSignal,
): Promise<boolean> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(longestRunMs)]);
  const execution = { workflowId: handle.workflowId, runId };
  for await (const { events } of followHistory(lane.client, execution, stop)) {
    if (events.filter((event) => event === point.event).length >= point.nth) return true;
  }
  return false;
}

/** How a run ended; null when it did not in time. */
export async function endWithin(
  lane: Lane,
  handle: WorkflowHandle,
  milliseconds = longestRunMs,
): Promise<Ending | null> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
  });
  try {
    return await Promise.race([lane.endOf(handle), patience]);
  } finally {
    clearTimeout(timer);
  }
}

export async function eventsOf(handle: WorkflowHandle): Promise<readonly HistoryEvent[]> {
  return (await handle.fetchHistory()).events ?? [];
}

export function milliseconds(event: HistoryEvent): number {
  return Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
}

/**
 * The models of a lane, one for each scenario, with a champion in place, so that each case can hurt it. Made
 * anew after a violation.
 */
export class Champions {
  readonly #models = new Map<string, string>();

  /** A model with a champion, and the spec of the next candidate. */
  async prepare(lane: Lane, scenario: Scenario): Promise<{ model: string; spec: RunSpec }> {
    const key = `${lane.index} ${scenario}`;
    let model = this.#models.get(key);
    if (!model) {
      model = lane.newModel();
      const first = specOf(lane, model, scenario, 1);
      const { outcome } = await lane.execute('fineTune', first, `people/${model}/first`);
      if (outcome !== 'promoted') throw new Error(`The first run of ${model} ended as ${outcome}`);
      this.#models.set(key, model);
    }
    const left = await lane.settle(model);
    if (left.length > 0) throw new Error(`Before the case begins, these still run: ${left.join(', ')}`);
    return { model, spec: specOf(lane, model, scenario, await unitsFor(lane, model, scenario)) };
  }

  discard(lane: Lane, scenario: Scenario): void {
    this.#models.delete(`${lane.index} ${scenario}`);
  }
}

/** As many units as the champion has where it is to be swapped, another number where it is to be replaced. */
async function unitsFor(lane: Lane, model: string, scenario: Scenario): Promise<number> {
  const { registry, providers } = lane.dependencies;
  const champion = await registry.champion(model);
  const target = providers.targets.get('bedrock-provisioned');
  if (!champion?.deployment || !target) return 1;
  const unit = target.resolve({ baseModel: champion.baseModel, settings: {} }).usdPerHour;
  const units = Math.round(champion.deployment.usdPerHour / unit);
  return scenario === 'swap' ? units : 3 - units;
}

/** Other numbers for each case, the same for each seed. */
export function randomOf({ options }: Campaign, { name }: { readonly name: string }): () => number {
  return randomFrom(createHash('sha256').update(`${options.seed}/${name}`).digest().readUInt32BE(0));
}
