import { isCancellation } from '@temporalio/workflow';
import { describeHolder, type LeasedResource, type LeaseHolder } from '../domain/lease.js';
import type { ResolvedRunSpec } from '../domain/run-spec.js';
import type { RunResult } from '../domain/run-state.js';
import { failWith } from './failures.js';
import { leaseWait } from './proxies.js';
import { throwIfCancelled } from './purchases.js';
import type { Run } from './run.js';

/** What a run does whose model another run works on. Null once the lock is ours after all. */
export async function lockedByOther(
  run: Run,
  lock: LeasedResource,
  owner: LeaseHolder,
  { onRunning, waiting }: ResolvedRunSpec,
): Promise<RunResult | null> {
  const other = describeHolder(owner);
  if (onRunning === 'refuse' || owner.kind !== 'workflow') {
    throw failWith(
      'Conflict',
      `model "${lock.model}" is held by ${other}; wait until it has ended, cancel it, or give "onRunning": "wait".`,
    );
  }
  run.state.waitingFor = `${other} works on model ${lock.model}`;
  run.show();
  try {
    if (onRunning === 'join') return await leaseWait(`Join ${other}`).awaitResultOf(owner, waiting);
    await leaseWait(`Wait for ${other}`).awaitLease(lock, run.holder, waiting);
    throwIfCancelled();
    return null;
  } catch (error) {
    // A look that a cancel caught in its middle comes back as a failure of its own.
    if (!isCancellation(error)) throwIfCancelled();
    throw error;
  } finally {
    run.state.waitingFor = null;
    run.show();
  }
}
