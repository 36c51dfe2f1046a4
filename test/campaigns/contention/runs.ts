import type { WorkflowHandle } from '@temporalio/client';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { LedgerEntry } from '../../../src/sandbox/admin.js';
import type { Lane } from '../support/world.js';

/** Starts the smallest lifecycle of a model. */
export async function startRun(
  lane: Lane,
  model: string,
  more: Partial<RunSpec> = {},
): Promise<WorkflowHandle> {
  return lane.start('fineTune', lane.smallRun(model, more), `contention/${model}/run`);
}

/** Every training job that was ever created in the lane's cloud, in order. */
export async function createdJobs(lane: Lane): Promise<LedgerEntry[]> {
  return (await lane.ledger()).filter(({ kind, action }) => kind === 'trainingJob' && action === 'create');
}

/** Some at once, then the next: a server on a laptop refuses hundreds. */
export async function inBatches<Item>(
  items: readonly Item[],
  size: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < items.length; start += size) {
    await Promise.all(items.slice(start, start + size).map(work));
  }
}
