import { Obstacle, PermanentFailure } from '../../domain/failures.js';
import type { Purchase } from '../../domain/purchase.js';
import type { Waiting } from '../../domain/waiting.js';
import { keepAlive, lookAgain } from '../waiting.js';
import type { AdmissionQueue } from './admission-queue.js';

export interface Turn {
  /** Who shares the provider's room, for instance `bedrock/training-job`. */
  readonly queue: string;
  /** The resource's name: its lease gives the place up when the run is gone. */
  readonly ticket: string;
  /** False returns the first obstacle, so that the run can show it; true looks again until there is none. */
  readonly isPatient: boolean;
  readonly waiting: Waiting;
}

/** So long a look for what exists may take before the create: both must end within one attempt. */
const lookLimitMs = 8_000;

/** Quotas, capacity and call rates are shared, so whoever meets one waits in line; a permission is one's own. */
const sharedObstacles: readonly string[] = ['quota', 'capacity', 'throttling'];

/**
 * Asks a provider for something paid when it is this ticket's turn. `create` must be idempotent. A failure
 * that no waiting mends gives the place up; any other error keeps it for the next try. What was given back is not
 * asked for again, which is a `Conflict`: providers may have forgotten its name and token, and would sell it anew.
 */
export async function inTurn<T>(
  queue: AdmissionQueue,
  turn: Turn,
  create: (isCurrent: () => boolean) => Promise<T>,
): Promise<Purchase<T>> {
  await refuseClosed(queue, turn.ticket);
  const ahead = await queue.ahead(turn.queue, turn.ticket);
  if (ahead > 0) {
    await queue.join(turn.queue, turn.ticket);
    return wait(turn, `${turn.ticket} waits its turn for ${turn.queue}: ${ahead} before it`);
  }
  try {
    const startedMs = Date.now();
    const bought = await keepAlive((isCurrent) =>
      create(() => isCurrent() && Date.now() - startedMs < lookLimitMs),
    );
    await queue.leave(turn.ticket);
    return { bought };
  } catch (error) {
    if (error instanceof PermanentFailure) await queue.leave(turn.ticket);
    if (!(error instanceof Obstacle)) throw error;
    if (sharedObstacles.includes(error.kind)) await queue.join(turn.queue, turn.ticket);
    return wait(turn, error.message);
  }
}

/** Only a run that was reset, or one that outlived its lease, comes here again. */
async function refuseClosed(queue: AdmissionQueue, ticket: string): Promise<void> {
  const closedAt = await queue.closedAt(ticket);
  if (closedAt === null) return;
  throw new PermanentFailure(
    'Conflict',
    `Conflict: ${ticket} was given back at ${closedAt.toISOString()}; the run that it belonged to does not buy it a second time. Start a new run with the same input.`,
  );
}

function wait({ isPatient, waiting }: Turn, obstacle: string): { obstacle: string } {
  if (isPatient) lookAgain(obstacle, waiting);
  return { obstacle };
}
