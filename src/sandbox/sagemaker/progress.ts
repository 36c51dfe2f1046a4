import type { SecondaryStatus, TrainingJobStatus } from '@aws-sdk/client-sagemaker';
import type { TrainingJobRecord } from './records.js';

export interface Segment {
  readonly status: SecondaryStatus;
  readonly startedAt: number;
  /** Infinite while nobody knows. */
  readonly endsAt: number;
}

export interface TrainingJobProgress {
  readonly status: TrainingJobStatus;
  readonly secondary: SecondaryStatus;
  /** Everything that has begun, in order. */
  readonly segments: readonly Segment[];
  readonly endedAt: number | null;
  readonly failureReason: string | null;
  /** When the first machine was there; null before. */
  readonly machineAt: number | null;
  /** Milliseconds on a machine so far. */
  readonly onMachineMs: number;
  /** Share of the training that is done; of a simulated job. */
  readonly trainedShare: number;
}

const never = Number.POSITIVE_INFINITY;
const onMachine: readonly SecondaryStatus[] = ['Downloading', 'Training', 'Uploading', 'Stopping'];
/** What counts towards the limit of time on the machine. */
const limited: readonly SecondaryStatus[] = ['Downloading', 'Training'];

/** Where a job stands at a time: a pure function of the clock and of what was recorded. */
export function trainingJobProgress(job: TrainingJobRecord, now: number): TrainingJobProgress {
  const { segments: course, end } = courseOf(job);
  const cut = earliestCut(job, course, end);
  const segments = cut ? stopped(job, course, cut) : [...course, last(end.status, end.at)];
  const begun = segments.filter(({ startedAt }) => startedAt <= now && startedAt < never);
  const current = begun.at(-1) as Segment;
  const status = primaryOf(current.status);
  const hasEnded = status === 'Completed' || status === 'Failed' || status === 'Stopped';
  return {
    status,
    secondary: current.status,
    segments: begun,
    endedAt: hasEnded ? current.startedAt : null,
    failureReason: status === 'Failed' ? end.failureReason : null,
    machineAt: begun.find(({ status: each }) => each === 'Downloading')?.startedAt ?? null,
    onMachineMs: spent(withMachine(begun), onMachine, now),
    trainedShare: trainedShare(job, begun, now),
  };
}

/** As anybody sees it: a job has ended once its results are written, and not before. */
export function shownProgress(job: TrainingJobRecord, now: number): TrainingJobProgress {
  const progress = trainingJobProgress(job, now);
  if (job.settled || progress.endedAt === null) return progress;
  return trainingJobProgress(job, Math.max(job.createdAt, progress.endedAt - 1));
}

interface End {
  readonly at: number;
  readonly status: 'Completed' | 'Failed';
  readonly failureReason: string | null;
  /** When training ended, before the upload. */
  readonly trainedAt: number;
}

/** The job's course if nobody and no limit stops it. */
function courseOf(job: TrainingJobRecord): { segments: Segment[]; end: End } {
  const segments: Segment[] = [];
  let at = job.createdAt;
  const add = (status: SecondaryStatus, endsAt: number) => {
    segments.push({ status, startedAt: at, endsAt });
    at = endsAt;
  };
  const start = () => {
    add('Starting', at + job.plan.startingMs);
    add('Downloading', at + job.plan.downloadingMs);
  };
  start();
  const { trainingMs } = job.plan;
  const { interruption, doom } = job;
  let remaining = trainingMs === null ? never : Math.min(trainingMs, doom?.afterMs ?? never);
  const isCutOff = interruption && (job.ended === null || at + interruption.afterMs < job.ended.at);
  if (isCutOff && interruption.afterMs < remaining) {
    add('Training', at + interruption.afterMs);
    add('Interrupted', at + interruption.forMs);
    start();
    // Without a checkpoint everything is done again.
    if (job.request.CheckpointConfig) remaining -= interruption.afterMs;
  }
  const trainedAt = trainingMs === null ? Math.max(at, job.ended?.at ?? never) : at + remaining;
  add('Training', trainedAt);
  const failureReason =
    trainingMs === null ? (job.ended?.failureReason ?? null) : (doom?.failureReason ?? null);
  if (failureReason !== null) {
    return { segments, end: { at: trainedAt, status: 'Failed', failureReason, trainedAt } };
  }
  add('Uploading', trainedAt + job.plan.uploadingMs);
  return { segments, end: { at, status: 'Completed', failureReason: null, trainedAt } };
}

interface Cut {
  readonly at: number;
  readonly status: 'Stopped' | 'MaxRuntimeExceeded' | 'MaxWaitTimeExceeded';
}

/** What stops the job before it ends by itself. */
function earliestCut(job: TrainingJobRecord, course: readonly Segment[], end: End): Cut | null {
  const { MaxRuntimeInSeconds, MaxWaitTimeInSeconds } = job.request.StoppingCondition ?? {};
  const dayMs = 24 * 3_600_000;
  const runtimeMs = MaxRuntimeInSeconds === undefined ? dayMs : MaxRuntimeInSeconds * 1000;
  const waitMs = MaxWaitTimeInSeconds === undefined ? never : MaxWaitTimeInSeconds * 1000;
  const cuts: Cut[] = [
    { at: job.stopRequestedAt ?? never, status: 'Stopped' },
    { at: momentAfter(course, runtimeMs), status: 'MaxRuntimeExceeded' },
    { at: job.createdAt + waitMs, status: 'MaxWaitTimeExceeded' },
  ];
  // A real job's program ends because of the stop: its end is no end of its own.
  const isBefore = (at: number) => at < end.trainedAt || (job.stopRequestedAt === at && at < end.at);
  const [first] = cuts.filter(({ at }) => at < never && isBefore(at)).sort((one, other) => one.at - other.at);
  return first ?? null;
}

/** When so much time on the machine has been used up. */
function momentAfter(course: readonly Segment[], limitMs: number): number {
  let left = limitMs;
  for (const { status, startedAt, endsAt } of course) {
    if (!limited.includes(status)) continue;
    if (endsAt - startedAt > left) return startedAt + left;
    left -= endsAt - startedAt;
  }
  return never;
}

function stopped(job: TrainingJobRecord, course: readonly Segment[], cut: Cut): Segment[] {
  const before = course
    .filter(({ startedAt }) => startedAt < cut.at)
    .map((segment) => ({ ...segment, endsAt: Math.min(segment.endsAt, cut.at) }));
  const hasMachine = before.at(-1)?.status === 'Training' || before.at(-1)?.status === 'Uploading';
  const stoppedAt = !hasMachine
    ? cut.at
    : job.plan.trainingMs === null
      ? Math.max(cut.at, job.ended?.at ?? never)
      : cut.at + job.plan.stopMs;
  return [
    ...before,
    { status: 'Stopping', startedAt: cut.at, endsAt: stoppedAt },
    last(cut.status, stoppedAt),
  ];
}

function last(status: SecondaryStatus, at: number): Segment {
  return { status, startedAt: at, endsAt: never };
}

function primaryOf(secondary: SecondaryStatus): TrainingJobStatus {
  switch (secondary) {
    case 'Completed':
    case 'Failed':
    case 'Stopped':
    case 'Stopping':
      return secondary;
    case 'MaxRuntimeExceeded':
    case 'MaxWaitTimeExceeded':
      return 'Stopped';
    default:
      return 'InProgress';
  }
}

/** A stop before there was a machine costs nothing. */
function withMachine(segments: readonly Segment[]): readonly Segment[] {
  return segments.some(({ status }) => status === 'Downloading') ? segments : [];
}

function spent(segments: readonly Segment[], statuses: readonly SecondaryStatus[], now: number): number {
  return segments
    .filter(({ status }) => statuses.includes(status))
    .reduce((sum, { startedAt, endsAt }) => sum + Math.max(0, Math.min(endsAt, now) - startedAt), 0);
}

function trainedShare(job: TrainingJobRecord, segments: readonly Segment[], now: number): number {
  const { trainingMs } = job.plan;
  if (!trainingMs) return 0;
  const stretches = segments.filter(({ status }) => status === 'Training');
  const counted = job.request.CheckpointConfig ? stretches : stretches.slice(-1);
  return Math.min(1, spent(counted, ['Training'], now) / trainingMs);
}
