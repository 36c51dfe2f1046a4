import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LocalConverterOptions } from '../../../src/activities/conversion/local/converter.js';
import type { ObjectStore } from '../../../src/activities/dataset/object-store.js';
import { isAlive } from '../../../src/activities/process-identity.js';
import type { LocalTrainingOptions } from '../../../src/activities/training/local/options.js';
import { createLocalTrainingProvider } from '../../../src/activities/training/local/provider.js';
import type { TrainingProvider } from '../../../src/activities/training/provider.js';
import type { StoredFile } from '../../../src/domain/dataset.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../../src/domain/training-job.js';
import { newObjectStore, storeDataset, tags } from '../../support/bedrock-training.js';
import { startTestSandbox } from '../../support/sandbox.js';

/** How the trainer of test/local/support/anneal_training behaves on a base model. */
export interface Behaviour {
  readonly secondsPerStep?: number;
  readonly crashesAtStep?: number;
  readonly tearsItsLastLine?: boolean;
  readonly ignoresRequestsToStop?: boolean;
  readonly refusesToConvert?: boolean;
  readonly crashesWhenConverting?: boolean;
  readonly takesForEver?: boolean;
}

export interface Attempt {
  readonly job: string;
  readonly pid: number;
  /** Jobs that were training when this trainer began. */
  readonly alongside: readonly string[];
}

interface KnownProcess {
  readonly pid: number;
  readonly identity: string;
}

/** A home of one's own, with base models that differ in how their trainer behaves, and a sandbox's S3. */
export interface LocalMachine {
  readonly home: string;
  readonly store: ObjectStore;
  readonly training: StoredFile;
  readonly validation: StoredFile;
  /** What a converter on this machine works with. */
  readonly conversion: Omit<LocalConverterOptions, 'objects'>;
  /** Made with new clients: what another worker, or this one after a crash, would use. */
  newProvider(override?: Partial<LocalTrainingOptions>): TrainingProvider;
  addBaseModel(name: string, behaviour?: Behaviour): Promise<void>;
  /** Another process submits the job and is killed, with everything in its process group. */
  submitFromKilledWorker(request: TrainingJobRequest): Promise<TrainingJobReference>;
  /** A complete request for a job on the base model `quick`: 8 steps. */
  request(jobName: string, override?: Partial<TrainingJobRequest>): TrainingJobRequest;
  pathOf(jobName: string, ...names: string[]): string;
  /** Trainers that were ever started on a base model, in order. */
  attempts(baseModel: string): Promise<Attempt[]>;
  supervisorOf(jobName: string): Promise<KnownProcess | null>;
  trainerOf(jobName: string): Promise<KnownProcess | null>;
  /** Ends what still runs and throws everything away. */
  close(): Promise<void>;
}

/** What a shim stands for: processes are known by the number they are started with. */
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).trim();
const trainingDirectory = dirname(fileURLToPath(import.meta.url));

export async function startLocalMachine(trainers: number): Promise<LocalMachine> {
  const sandbox = await startTestSandbox();
  const home = await mkdtemp(join(tmpdir(), 'anneal-test-local-'));
  const store = await newObjectStore(sandbox.newClients());
  const training = await storeDataset(store, 'local/train.jsonl');
  const validation = await storeDataset(store, 'local/validation.jsonl');
  const used = new Set<string>();
  const pathOf = (jobName: string, ...names: string[]) => join(home, 'local', 'jobs', jobName, ...names);
  const baseModelPath = (name: string) => join(home, 'local', 'base-models', name);
  const read = async <T>(path: string) =>
    existsSync(path) ? (JSON.parse(await readFile(path, 'utf8')) as T) : null;

  const machine: LocalMachine = {
    home,
    store,
    training,
    validation,
    pathOf,
    conversion: { home, python, trainingDirectory, environment: process.env },
    newProvider: (override) =>
      createLocalTrainingProvider({
        objects: store,
        home,
        python,
        trainingDirectory,
        trainers,
        graceSeconds: 1,
        restartSeconds: 0.1,
        ...override,
      }),
    addBaseModel: async (name, behaviour = {}) => {
      await mkdir(baseModelPath(name), { recursive: true });
      await writeFile(join(baseModelPath(name), 'config.json'), '{}');
      await writeFile(join(baseModelPath(name), 'behaviour.json'), JSON.stringify(behaviour));
    },
    submitFromKilledWorker: async (request) => {
      const options = { home, python, trainingDirectory, trainers };
      const input = { endpoint: sandbox.endpoint, bucket: store.bucket, request, options };
      const program = join(trainingDirectory, 'submit-and-wait.ts');
      const worker = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(input)], {
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(worker, 'exit');
      const [said] = (await Promise.race([once(worker.stdout, 'data'), ended])) as [unknown];
      process.kill(-(worker.pid as number), 'SIGKILL');
      await ended;
      return JSON.parse(String(said)) as TrainingJobReference;
    },
    request: (jobName, override) => {
      used.add(jobName);
      return localRequest(store, jobName, training, override);
    },
    attempts: async (baseModel) => {
      const path = join(baseModelPath(baseModel), 'attempts.jsonl');
      const lines = existsSync(path) ? (await readFile(path, 'utf8')).trim().split('\n') : [];
      return lines.map((line) => JSON.parse(line) as Attempt);
    },
    supervisorOf: (jobName) => read(pathOf(jobName, 'supervisor.json')),
    trainerOf: (jobName) => read(pathOf(jobName, 'trainer.json')),
    close: async () => {
      for (const jobName of used) {
        for (const known of [await machine.supervisorOf(jobName), await machine.trainerOf(jobName)]) {
          if (known && isAlive(known)) process.kill(known.pid, 'SIGKILL');
        }
      }
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      await sandbox.close();
    },
  };
  await machine.addBaseModel('quick');
  return machine;
}

function localRequest(
  store: ObjectStore,
  jobName: string,
  training: StoredFile,
  override: Partial<TrainingJobRequest> = {},
): TrainingJobRequest {
  return {
    provider: 'local',
    jobName,
    modelName: jobName,
    idempotencyToken: `${jobName}-training-1`,
    baseModel: 'quick',
    hyperparameters: {
      epochCount: '2',
      learningRate: '0.0002',
      batchSize: '4',
      rank: '8',
      checkpointSteps: '2',
    },
    training,
    validation: null,
    outputUri: `s3://${store.bucket}/models/local/jobs/${jobName}/`,
    tags,
    settings: {},
    ...override,
  };
}

/** Looks at a job until it has ended; returns the last description. */
export async function untilEnded(
  provider: TrainingProvider,
  job: TrainingJobReference,
): Promise<TrainingJobDescription> {
  return until(provider, job, ({ status }) => isTerminal(status));
}

/** Looks at a job until it is as it should be. */
export async function until(
  provider: TrainingProvider,
  job: TrainingJobReference,
  isReached: (description: TrainingJobDescription) => boolean,
): Promise<TrainingJobDescription> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const description = await provider.describe(job);
    if (isReached(description)) return description;
    if (Date.now() > deadline || isTerminal(description.status)) {
      throw new Error(`${job.jobName} is ${JSON.stringify(description)}`);
    }
    await sleep(50);
  }
}

export async function eventually(isReached: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isReached()) {
    if (Date.now() > deadline) throw new Error('It did not come to pass within 20 s');
    await sleep(50);
  }
}
