import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { validationError } from '../api/error.js';
import { putBytes } from '../storage/objects.js';
import type { ObjectRecord } from '../storage/records.js';
import type { World } from '../world.js';
import type { EpochLoss, JobRecord } from './records.js';

export function bucketOf(uri: string): string {
  return uri.slice('s3://'.length).split('/')[0] ?? '';
}

function keyOf(uri: string): string {
  return uri.slice('s3://'.length).split('/').slice(1).join('/');
}

export function requireBucket(world: World, bucket: string, path: string): void {
  if (!world.state.buckets.has(bucket)) {
    throw validationError(`${path}: the bucket ${bucket} does not exist; create it first.`);
  }
}

export function requireObject(world: World, uri: string, path: string): ObjectRecord {
  requireBucket(world, bucketOf(uri), path);
  const object = world.state.buckets.get(bucketOf(uri))?.objects.get(keyOf(uri));
  if (!object) throw validationError(`${path}: there is no object ${uri}; upload it first.`);
  return object;
}

/** Where a job's own files lie: its copy of the data and the trained model. */
export interface JobFiles {
  readonly directory: string;
  readonly training: string;
  readonly validation: string;
  readonly model: string;
}

export function jobFiles(world: World, job: JobRecord): JobFiles {
  const directory = join(world.stateDirectory, 'jobs', job.id);
  return {
    directory,
    training: join(directory, 'training.jsonl'),
    validation: join(directory, 'validation.jsonl'),
    model: join(directory, 'model.bin'),
  };
}

/** Keeps the data as it is now; deleting or replacing the objects later does not touch the job. */
export function snapshotDataset(world: World, job: JobRecord): void {
  const files = jobFiles(world, job);
  mkdirSync(files.directory, { recursive: true });
  const training = requireObject(world, job.trainingUri, 'trainingDataConfig.s3Uri');
  world.blobs.snapshot(training.blob, files.training);
  if (!job.validationUri) return;
  const validation = requireObject(world, job.validationUri, 'validationDataConfig');
  world.blobs.snapshot(validation.blob, files.validation);
}

/** Lets go of a finished job's copy of the data. */
export function removeSnapshots(world: World, job: JobRecord): void {
  const files = jobFiles(world, job);
  for (const file of [files.training, files.validation]) rmSync(file, { force: true });
}

/** Writes the two metrics files that Bedrock leaves below the output URI. */
export function writeArtifacts(world: World, job: JobRecord, at: number): void {
  const metrics = job.trained?.metrics ?? [];
  const prefix = [keyOf(job.outputUri).replace(/\/$/, ''), `model-customization-job-${job.id}`]
    .filter((part) => part !== '')
    .join('/');
  const put = (name: string, rows: string[]) =>
    putBytes(world, {
      bucket: bucketOf(job.outputUri),
      key: `${prefix}/${name}`,
      bytes: Buffer.from(`${rows.join('\n')}\n`),
      contentType: 'text/csv',
      at,
    });
  put('training_artifacts/step_wise_training_metrics.csv', [
    'step_number,epoch_number,training_loss,perplexity',
    ...metrics.map((row) => line(row, row.trainingLoss)),
  ]);
  if (!job.validationUri) return;
  put('validation_artifacts/post_fine_tuning_validation/validation_metrics.csv', [
    'step_number,epoch_number,validation_loss,perplexity',
    ...metrics.flatMap((row) => (row.validationLoss === null ? [] : [line(row, row.validationLoss)])),
  ]);
}

function line(row: EpochLoss, loss: number): string {
  return [row.step, row.epoch, loss, Math.exp(loss)].join(',');
}
