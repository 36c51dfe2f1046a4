import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { z } from 'zod';
import { type FailureType, failureTypes } from '../domain/failures.js';
import { formatProblems, parseInput } from '../domain/parse-input.js';

/**
 * Parses a workflow's or an update's input. A plain exception in workflow code would retry its task for
 * ever, so a bad input is a non-retryable `InvalidInput` that names each path.
 */
export function parseOrFail<T>(schema: z.ZodType<T>, input: unknown, subject: string): T {
  const parsed = parseInput(schema, input);
  if ('value' in parsed) return parsed.value;
  throw failWith('InvalidInput', formatProblems(subject, parsed.problems), [...parsed.problems]);
}

/** A failure as scripts and people see it: the CLI prints the stack under the message, so there is none. */
export function failWith(
  type: FailureType,
  message: string,
  details: unknown[] = [],
  cause?: Error,
): ApplicationFailure {
  const text = message.startsWith(`${type}:`) ? message : `${type}: ${message}`;
  const failure = ApplicationFailure.create({ type, message: text, details, cause, nonRetryable: true });
  failure.stack = '';
  return failure;
}

/**
 * Gives any error that ends a run its stable type: the one an activity chose, else the stage's own.
 * A cancellation stays what it is.
 */
export function toRunFailure(error: unknown, stageType: FailureType): Error {
  if (isCancellation(error)) return error as Error;
  if (error instanceof ActivityFailure) return fromActivity(error, stageType);
  if (error instanceof ApplicationFailure && isFailureType(error.type)) return error;
  return failWith(stageType, error instanceof Error ? error.message : String(error));
}

function fromActivity(error: ActivityFailure, stageType: FailureType): Error {
  const { cause } = error;
  const ranOut = error.retryState === 'TIMEOUT' || cause instanceof TimeoutFailure;
  if (ranOut) {
    const last = cause?.message ? `; last seen: ${cause.message}` : '';
    return failWith(stageType, `the deadline of ${error.activityType} has passed${last}`, [], cause);
  }
  if (cause instanceof ApplicationFailure) {
    const type = isFailureType(cause.type) ? cause.type : stageType;
    return failWith(type, cause.message, cause.details ?? []);
  }
  return failWith(stageType, cause?.message ?? error.message);
}

function isFailureType(type: string | null | undefined): type is FailureType {
  return failureTypes.some((known) => known === type);
}
