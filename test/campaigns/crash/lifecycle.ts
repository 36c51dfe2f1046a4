import { randomBytes } from 'node:crypto';
import type { Ending } from '../../support/service.js';
import { type Lane, terminateIfRunning } from '../support/world.js';
import { followHistory } from './history.js';
import { faultsOf, isToBeCancelled, nameOf, type Path, specOf, type Target, wrongEnd } from './paths.js';
import { type Identity, type Point, rolesOf, toArmedKills } from './points.js';

/** How a lifecycle went. */
export interface Played extends Identity {
  /** Null when it did not end in time. */
  readonly ending: Ending | null;
  readonly events: readonly string[];
  /** Labels of the points at which the worker was killed. */
  readonly killedAt: readonly string[];
  readonly stragglers: readonly string[];
}

/** Minutes where the machine is free; a crowded one is no violation. */
const longestLifecycleMs = 900_000;
const longestSettlingMs = 300_000;

/** Plays one lifecycle of a path, killing the worker at every given point, until nothing of it runs. */
export async function playLifecycle(
  lane: Lane,
  model: string,
  path: Path,
  points: readonly Point[],
  signal: AbortSignal,
): Promise<Played> {
  const { client, control } = lane;
  const caseId = randomBytes(4).toString('hex');
  const workflowId = `crash/${model}/${caseId}`;
  const versions = await lane.dependencies.registry.versions(model);
  const arm = (runId: string) =>
    control.arm(toArmedKills(caseId, points, rolesOf({ model, workflowId, runId, versions })));
  // The run's own activities, before it starts; those of its leases as soon as their names are known.
  arm('');
  await lane.setFaults(faultsOf(path));
  const handle = await client.workflow.start('fineTune', {
    taskQueue: lane.taskQueue,
    workflowId,
    args: [specOf(lane, model, path)],
  });
  const runId = handle.firstExecutionRunId;
  arm(runId);

  const patience = AbortSignal.timeout(longestLifecycleMs);
  const stop = AbortSignal.any([signal, patience]);
  const followed = await follow(lane, { workflowId, runId }, path, points, stop);
  signal.throwIfAborted();
  const ending = patience.aborted ? null : await lane.endOf(handle);
  if (!ending) await terminateIfRunning(lane, workflowId);
  await lane.setFaults(null);
  const stragglers = await lane.settle(model, longestSettlingMs);
  const fired = [...control.fired()].filter((id) => id.startsWith(`${caseId} `));
  control.arm([]);
  return {
    model,
    workflowId,
    runId,
    versions,
    ending,
    events: followed.events,
    killedAt: [...followed.killedAt, ...fired.map((id) => id.slice(caseId.length + 1))],
    stragglers,
  };
}

/** Watches the history, cancels where the path says so, and kills at its events. */
async function follow(
  lane: Lane,
  execution: { workflowId: string; runId: string },
  path: Path,
  points: readonly Point[],
  signal: AbortSignal,
): Promise<{ events: readonly string[]; killedAt: string[] }> {
  const left = points.filter((point) => point.kind === 'event');
  const killedAt: string[] = [];
  let events: readonly string[] = [];
  let isCancelled = false;
  try {
    for await (const batch of followHistory(lane.client, execution, signal)) {
      events = batch.events;
      if (!isCancelled && isToBeCancelled(path, events)) {
        isCancelled = true;
        await lane.client.workflow.getHandle(execution.workflowId).cancel();
      }
      while (left[0] && left[0].count <= events.length) {
        const point = left.shift() as Point;
        await lane.workers?.kill();
        killedAt.push(point.label);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return { events, killedAt };
}

/**
 * The model that a lane's cases of one target work on: with a champion and a previous champion, so that each
 * case finds what the measured one found. Made anew after a violation.
 */
export class ModelLines {
  readonly #models = new Map<string, string>();

  async modelFor(lane: Lane, target: Target, signal: AbortSignal): Promise<string> {
    const key = `${lane.index} ${target}`;
    const known = this.#models.get(key);
    if (known) return known;
    const model = lane.newModel();
    const path: Path = { target, outcome: 'promoted', affinity: target };
    for (let version = 1; version <= 2; version += 1) {
      const { ending, stragglers } = await playLifecycle(lane, model, path, [], signal);
      const wrong = ending ? wrongEnd(path, ending) : 'it did not end';
      if (wrong) throw new Error(`An undisturbed ${nameOf(path)} went wrong: ${wrong}`);
      if (stragglers.length > 0) throw new Error(`An undisturbed ${nameOf(path)} left ${stragglers}`);
    }
    this.#models.set(key, model);
    return model;
  }

  discard(lane: Lane, target: Target): void {
    this.#models.delete(`${lane.index} ${target}`);
  }
}
