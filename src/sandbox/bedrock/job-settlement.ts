import type { World } from '../world.js';
import { bucketOf, removeSnapshots, writeArtifacts } from './job-files.js';
import type { JobProgress } from './job-progress.js';
import { progressOf } from './jobs.js';
import type { JobRecord } from './records.js';

/**
 * Ends the jobs whose time has come: writes their results, creates their models, prices their training.
 * Called before every request, so that nobody can see a job that has ended and not been settled; no timer
 * is needed. Settling again after a crash in the middle writes the same files once more.
 */
export function settleJobs(world: World): void {
  for (const job of world.state.jobs.values()) {
    if (job.settled) continue;
    const progress = progressOf(world, job);
    if (progress.endedAt === null) continue;
    settle(world, job, progress, progress.endedAt);
  }
}

function settle(world: World, job: JobRecord, progress: JobProgress, at: number): void {
  let { failureMessage } = progress;
  let { status } = progress;
  if (status === 'InProgress' || status === 'Stopping') return;
  if (status === 'Completed' && !world.state.buckets.has(bucketOf(job.outputUri))) {
    status = 'Failed';
    failureMessage = `The output bucket of ${job.outputUri} no longer exists.`;
  }
  if (status === 'Completed') {
    writeArtifacts(world, job, at);
    if (!world.state.models.has(job.modelArn)) createModel(world, job, at);
  }
  const usd = trainingPrice(world, job, billedShare(world, status, progress));
  world.record({ type: 'job.settled', at, arn: job.arn, status, usd, failureMessage });
  removeSnapshots(world, job);
}

function createModel(world: World, job: JobRecord, at: number): void {
  world.record({
    type: 'model.created',
    at,
    usdPerHour: world.prices.modelStoragePerHour(job.baseModel),
    model: {
      arn: job.modelArn,
      name: job.modelName,
      jobArn: job.arn,
      baseModel: job.baseModel,
      digest: job.trained?.digest ?? '',
      tags: job.modelTags,
      createdAt: at,
      deletedAt: null,
    },
  });
}

/** A stopped job is billed for what it trained; one that failed as the readings have it; see 10 and 36. */
function billedShare(
  world: World,
  status: 'Completed' | 'Failed' | 'Stopped',
  { trainedShare }: JobProgress,
): number {
  if (status === 'Completed') return 1;
  return status === 'Failed' && world.settings.readings.failedTraining === 'free' ? 0 : trainedShare;
}

function trainingPrice(world: World, job: JobRecord, share: number): number {
  const tokens = (job.checked?.tokensPerEpoch ?? 0) * Number(job.hyperParameters.epochCount);
  return (tokens / 1000) * share * world.prices.training(job.baseModel);
}
