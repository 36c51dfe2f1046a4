import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { World } from '../world.js';
import type { TrainingJobRecord } from './records.js';
import { objectsBelow, storeArtifact, storeFile } from './storage.js';

/** The folder that a real job's container has instead of `/opt/ml`. */
export function machineRoot(world: World, job: TrainingJobRecord): string {
  return join(world.stateDirectory, 'training-jobs', job.name);
}

/** What the container prints, of all its machines. */
export function logPath(world: World, job: TrainingJobRecord): string {
  return join(world.stateDirectory, 'training-jobs', `${job.name}.log`);
}

/** Lays out a new machine as SageMaker does: configuration, channels, and the checkpoints of the one before. */
export function layOut(world: World, job: TrainingJobRecord): string {
  const root = machineRoot(world, job);
  // After a restart of the sandbox the machine is still the same one.
  const isNew = !existsSync(root);
  const { HyperParameters = {}, InputDataConfig = [], CheckpointConfig } = job.request;
  for (const folder of ['input/config', 'model', 'output', 'checkpoints']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'input/config/hyperparameters.json'), JSON.stringify(HyperParameters));
  const channels = Object.fromEntries(
    InputDataConfig.map(({ ChannelName = '' }) => [ChannelName, { TrainingInputMode: 'File' }]),
  );
  writeFileSync(join(root, 'input/config/inputdataconfig.json'), JSON.stringify(channels));
  for (const { ChannelName = '', DataSource } of InputDataConfig) {
    fetchBelow(world, DataSource?.S3DataSource?.S3Uri ?? '', join(root, 'input/data', ChannelName));
  }
  if (isNew && CheckpointConfig?.S3Uri) fetchBelow(world, CheckpointConfig.S3Uri, join(root, 'checkpoints'));
  return root;
}

function fetchBelow(world: World, uri: string, folder: string): void {
  for (const [name, object] of objectsBelow(world, uri)) {
    const path = join(folder, name);
    if (!path.startsWith(folder)) continue;
    mkdirSync(dirname(path), { recursive: true });
    // A copy where the program writes; the base model's gigabytes are only read.
    if (folder.endsWith('checkpoints')) writeFileSync(path, readFileSync(world.blobs.path(object.blob)));
    else world.blobs.snapshot(object.blob, path);
  }
}

export function saveCheckpoints(world: World, job: TrainingJobRecord): void {
  const uri = job.request.CheckpointConfig?.S3Uri;
  if (!uri) return;
  for (const [name, content] of filesBelow(join(machineRoot(world, job), 'checkpoints'))) {
    storeFile(world, `${uri.replace(/\/$/, '')}/${name}`, content);
  }
}

/** Packs what the program left; false where it left nothing or the bucket is gone. */
export async function saveModel(world: World, job: TrainingJobRecord): Promise<boolean> {
  const files = filesBelow(join(machineRoot(world, job), 'model'));
  return files.size > 0 && storeArtifact(world, job, files);
}

/** What the container says of its failure, in SageMaker's words. */
export function failureReasonOf(world: World, job: TrainingJobRecord, exitCode: number | null): string {
  const path = join(machineRoot(world, job), 'output/failure');
  const said = existsSync(path) ? readFileSync(path, 'utf8').trim() : 'the container gave no reason';
  return `AlgorithmError: ${said}, exit code: ${exitCode ?? 137}`.slice(0, 1024);
}

export function removeMachine(world: World, job: TrainingJobRecord): void {
  rmSync(machineRoot(world, job), { recursive: true, force: true });
}

/** The last values that the job's metric definitions find in what the container printed. */
export function readMetrics(world: World, job: TrainingJobRecord): Record<string, number> {
  const path = logPath(world, job);
  if (!existsSync(path)) return {};
  const log = readFileSync(path, 'utf8');
  const metrics: Record<string, number> = {};
  for (const { Name = '', Regex = '' } of job.request.AlgorithmSpecification?.MetricDefinitions ?? []) {
    const value = Number([...log.matchAll(new RegExp(Regex, 'g'))].at(-1)?.[1]);
    if (Number.isFinite(value)) metrics[Name] = value;
  }
  return metrics;
}

function filesBelow(folder: string): Map<string, Buffer> {
  if (!existsSync(folder)) return new Map();
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(entries.map((path) => [path.slice(folder.length + 1), readFileSync(path)]));
}
