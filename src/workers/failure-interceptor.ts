import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { PermanentFailure } from '../domain/failures.js';

/** Results above this would bloat histories; activities pass references instead. Bytes of JSON. */
const resultLimitBytes = 256 * 1024;

/**
 * Stands around every activity: turns a `PermanentFailure` into a non-retryable `ApplicationFailure` of the
 * same type, and refuses results that do not belong into a history (Temporal would retry those for ever).
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
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
      throw error;
    }
  }
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
