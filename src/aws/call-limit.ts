import { setTimeout as sleep } from 'node:timers/promises';
import type { FinalizeRequestMiddleware, MetadataBearer, Pluggable } from '@smithy/types';

/** Calls that may be made, counted for everybody who shares an account. */
export interface CallLimit {
  /** Takes one call of `api`; returns 0, or the milliseconds after which there may be one again. */
  take(api: string): Promise<number>;
}

/** Longer than a second's share of a busy account, much shorter than the heartbeat timeout of a look. */
const patienceMs = 3_000;

/**
 * Holds every call of a client to `limit`, each try of its own too. A call that finds no room for three seconds
 * fails as if the service had throttled it, so that the wait is shown and made by Temporal.
 */
export function limitCalls<Input extends object, Output extends MetadataBearer>(
  limit: CallLimit,
): Pluggable<Input, Output> {
  const middleware: FinalizeRequestMiddleware<Input, Output> =
    (next, { clientName, commandName }) =>
    async (args) => {
      await waitForRoom(limit, `${clientName}.${commandName}`);
      return next(args);
    };
  return {
    applyToStack: (stack) =>
      stack.addRelativeTo(middleware, {
        name: 'annealCallLimit',
        relation: 'after',
        toMiddleware: 'retryMiddleware',
      }),
  };
}

async function waitForRoom(limit: CallLimit, api: string): Promise<void> {
  const untilMs = Date.now() + patienceMs;
  for (let waitMs = await limit.take(api); waitMs > 0; waitMs = await limit.take(api)) {
    if (Date.now() + waitMs > untilMs) throw new CallLimitReached(api);
    // Spread over the next second, or everybody would come at its first millisecond.
    await sleep(waitMs + Math.random() * 1_000);
  }
}

/** Bears the name of the service's own refusal: it is met, shown and outwaited in the same way. */
class CallLimitReached extends Error {
  override readonly name = 'ThrottlingException';
  readonly $retryable = { throttling: true };

  constructor(api: string) {
    super(`the calls a second that ANNEAL_CALLS_PER_SECOND allows for ${api} are used up`);
  }
}
