import type { JobRecord } from './records.js';

export type JobStatus = 'InProgress' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped';
export type StageStatus = JobStatus | 'NotStarted';

export interface JobProgress {
  readonly status: JobStatus;
  readonly endedAt: number | null;
  readonly failureMessage: string | null;
  readonly validation: StageProgress;
  readonly dataProcessing: StageProgress;
  readonly training: StageProgress;
  /** Share of the training stage that was done, for the bill of a stopped job. */
  readonly trainedShare: number;
}

export interface StageProgress {
  readonly status: StageStatus;
  readonly startedAt: number | null;
  readonly changedAt: number | null;
}

/**
 * Where a job stands at a time: a pure function of the clock and of what was recorded. A stage takes the
 * time it was given; the training stage also waits for the learner.
 */
export function jobProgress(job: JobRecord, now: number): JobProgress {
  const plan = planOf(job);
  const stop = job.stopRequestedAt;
  const end = endOf(job, plan, stop, now);
  const seenAt = Math.min(now, stop ?? Number.POSITIVE_INFINITY);
  const interrupted: StageStatus | null =
    end.status === 'InProgress' || end.status === 'Completed' ? null : end.status;
  const stage = (startedAt: number, endedAt: number): StageProgress => {
    if (seenAt < startedAt) return { status: 'NotStarted', startedAt: null, changedAt: null };
    const failedHere = end.status === 'Failed' && end.at === endedAt;
    if (seenAt >= endedAt && !failedHere) return { status: 'Completed', startedAt, changedAt: endedAt };
    return { status: interrupted ?? 'InProgress', startedAt, changedAt: end.at ?? seenAt };
  };
  return {
    status: end.status,
    endedAt: end.at,
    failureMessage: end.failureMessage,
    validation: stage(job.createdAt, plan.validationEnd),
    dataProcessing: stage(plan.validationEnd, plan.dataProcessingEnd),
    training: stage(plan.dataProcessingEnd, plan.trainingEnd),
    trainedShare: share(
      Math.min(seenAt, end.at ?? seenAt),
      plan.dataProcessingEnd,
      job.checked?.trainingMs ?? 0,
    ),
  };
}

interface Plan {
  readonly validationEnd: number;
  readonly dataProcessingEnd: number;
  readonly trainingEnd: number;
  readonly outcome: { readonly status: 'Completed' | 'Failed'; readonly at: number } | null;
  readonly failureMessage: string | null;
}

function planOf(job: JobRecord): Plan {
  const never = Number.POSITIVE_INFINITY;
  const { checked } = job;
  if (!checked) {
    return {
      validationEnd: never,
      dataProcessingEnd: never,
      trainingEnd: never,
      outcome: null,
      failureMessage: null,
    };
  }
  const validationEnd = Math.max(job.createdAt + checked.validationMs, checked.at);
  if (checked.failure !== null) {
    return {
      validationEnd,
      dataProcessingEnd: never,
      trainingEnd: never,
      outcome: { status: 'Failed', at: validationEnd },
      failureMessage: checked.failure,
    };
  }
  const dataProcessingEnd = validationEnd + checked.dataProcessingMs;
  if (job.doom) {
    const at = dataProcessingEnd + Math.min(job.doom.afterMs, checked.trainingMs);
    return {
      validationEnd,
      dataProcessingEnd,
      trainingEnd: at,
      outcome: { status: 'Failed', at },
      failureMessage: job.doom.failureMessage,
    };
  }
  const learnerDoneAt = job.trained?.at ?? job.learnerFailure?.at ?? never;
  const trainingEnd = Math.max(dataProcessingEnd + checked.trainingMs, learnerDoneAt);
  const status = job.trained ? 'Completed' : 'Failed';
  return {
    validationEnd,
    dataProcessingEnd,
    trainingEnd,
    outcome: trainingEnd === never ? null : { status, at: trainingEnd },
    failureMessage: job.learnerFailure?.message ?? null,
  };
}

function endOf(job: JobRecord, plan: Plan, stop: number | null, now: number) {
  const open = { at: null, failureMessage: null };
  if (job.settled) {
    return { status: job.settled.status, at: job.settled.at, failureMessage: job.settled.failureMessage };
  }
  if (stop !== null) {
    return now < stop + job.stopMs
      ? { status: 'Stopping' as const, ...open }
      : { status: 'Stopped' as const, at: stop + job.stopMs, failureMessage: null };
  }
  if (plan.outcome && now >= plan.outcome.at) {
    return { ...plan.outcome, failureMessage: plan.failureMessage };
  }
  return { status: 'InProgress' as const, ...open };
}

function share(seenAt: number, startedAt: number, durationMs: number): number {
  if (seenAt <= startedAt || durationMs <= 0) return 0;
  return Math.min(1, (seenAt - startedAt) / durationMs);
}
