import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { Obstacle, PermanentFailure } from '../domain/failures.js';
import { nextPollMs, type Waiting } from '../domain/waiting.js';

/** Results above this would bloat histories; activities pass references instead. Bytes of JSON. */
const resultLimitBytes = 256 * 1024;

/**
 * Stands around every activity: turns a `PermanentFailure` into a non-retryable `ApplicationFailure` of the
 * same type, has an `Obstacle` retried at the pace of a wait, and refuses results that do not belong into a
 * history (Temporal would retry those for ever).
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  constructor(private readonly waiting: Waiting) {}

  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    try {
      const result = await next(input);
      refuseOversized(result);
      return result;
    } catch (error) {
      if (error instanceof PermanentFailure) {
        throw ApplicationFailure.create({
          message: error.message,
          type: error.type,
          nonRetryable: true,
          details: [...error.details],
          cause: error.cause instanceof Error ? error.cause : undefined,
        });
      }
      if (error instanceof Obstacle) throw toWait(error, this.waiting);
      throw error;
    }
  }
}

/** Not an alarm, since nobody can do anything in code; what is to be done stands in the message. */
function toWait(obstacle: Obstacle, waiting: Waiting): ApplicationFailure {
  const elapsedMs = Date.now() - activityInfo().scheduledTimestampMs;
  const failure = ApplicationFailure.create({
    message: obstacle.message,
    type: obstacle.name,
    nextRetryDelay: nextPollMs(waiting, elapsedMs, Math.random()),
    category: 'BENIGN',
  });
  failure.stack = '';
  return failure;
}

function refuseOversized(result: unknown): void {
  if (result === undefined) return;
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes > resultLimitBytes) {
    throw ApplicationFailure.nonRetryable(
      `A result of ${bytes} bytes is too large for a workflow's history (limit ${resultLimitBytes}); store it and return its URI`,
      'ResultTooLarge',
    );
  }
}
