import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { jobFiles } from '../bedrock/job-files.js';
import type { CheckedDataset, JobRecord } from '../bedrock/records.js';
import type { World } from '../world.js';
import type { TrainingMessage, TrainingTask } from './process.js';

/**
 * Has the jobs that are unfinished learned, one at a time, in a process that is kept for the next one, and
 * records what it finds. A job whose learner was cut off by the sandbox's own end is learned again from the start.
 *
 * The learner starts when the job is created, not when its clock reaches training: nobody can see the
 * difference, and no timer has to follow a clock whose pace can change.
 */
export class TrainingQueue {
  readonly #waiting: JobRecord[] = [];
  #learner: Learner | null = null;
  #running: JobRecord | null = null;
  #isClosed = false;

  constructor(private readonly world: World) {
    for (const job of world.state.jobs.values()) if (needsLearner(job)) this.#waiting.push(job);
    this.#next();
  }

  add(job: JobRecord): void {
    this.#waiting.push(job);
    this.#next();
  }

  /** Ends the learner of a job that was stopped; nobody will ask for what it learns. */
  stop(jobArn: string): void {
    if (this.#running?.arn !== jobArn) return;
    this.#endLearner();
    this.#finish();
  }

  close(): void {
    this.#isClosed = true;
    this.#endLearner();
  }

  #endLearner(): void {
    this.#learner?.process.kill('SIGKILL');
    this.#learner = null;
  }

  #next(): void {
    if (this.#running || this.#isClosed) return;
    const queued = this.#waiting.shift();
    if (!queued) return;
    const job = this.world.state.jobs.get(queued.arn);
    if (job && needsLearner(job)) this.#run(job);
    else this.#next();
  }

  #run(job: JobRecord): void {
    this.#running = job;
    this.#learner ??= this.#startLearner();
    // One that has just died is heard of by its exit.
    this.#learner.process.send(this.#task(job), () => {});
  }

  #startLearner(): Learner {
    const learner: Learner = { process: forkLearner(), complaint: '' };
    learner.process.stderr?.on('data', (chunk: Buffer) => {
      learner.complaint = (learner.complaint + chunk.toString()).slice(-500);
    });
    learner.process.on('message', (message: TrainingMessage) => {
      if (this.#learner !== learner || !this.#running) return;
      if (message.type === 'finished') this.#finish();
      else this.#record(this.#running, message);
    });
    learner.process.on('exit', () => {
      if (this.#learner !== learner) return;
      this.#learner = null;
      const job = this.#running;
      if (job && needsLearner(job)) {
        const message = `Internal error while training: ${learner.complaint.trim() || 'the learner ended early'}`;
        const at = this.world.now();
        this.world.record({ type: 'job.learnerFailed', at, arn: job.arn, message: message.slice(0, 2048) });
      }
      this.#finish();
    });
    return learner;
  }

  #finish(): void {
    this.#running = null;
    this.#next();
  }

  #record(job: JobRecord, message: Exclude<TrainingMessage, { type: 'finished' }>): void {
    const { arn } = job;
    const at = this.world.now();
    if (message.type === 'checked') {
      const checked = this.#plan(job, message, at);
      if (!job.checked) this.world.record({ type: 'job.checked', at, arn, checked });
      return;
    }
    const { digest, metrics } = message;
    this.world.record({ type: 'job.trained', at, arn, trained: { at, digest, metrics } });
  }

  /** How long the job takes: fixed phases and a steady pace, or what the settings say. */
  #plan(
    job: JobRecord,
    found: { readonly failure: string | null; readonly records: number; readonly tokens: number },
    at: number,
  ): CheckedDataset {
    const { trainingHours } = this.world.settings;
    const tokens = found.tokens * Number(job.hyperParameters.epochCount);
    const trainHours = trainingHours === null ? tokens / tokensPerHour : trainingHours * 0.75;
    const scale = trainingHours === null ? 1 : trainingHours;
    return {
      at,
      failure: found.failure,
      records: found.records,
      tokensPerEpoch: found.tokens,
      validationMs: Math.round(0.05 * scale * hourMs),
      dataProcessingMs: Math.round(0.2 * scale * hourMs),
      trainingMs: Math.round(trainHours * hourMs),
    };
  }

  #task(job: JobRecord): TrainingTask {
    const files = jobFiles(this.world, job);
    return {
      trainingFile: files.training,
      trainingUri: job.trainingUri,
      validationFile: job.validationUri && files.validation,
      validationUri: job.validationUri,
      modelFile: files.model,
      epochs: Number(job.hyperParameters.epochCount),
      learningRate: Number(job.hyperParameters.learningRate),
      // From the settings alone: the same data trained again gives the same model.
      seed: createHash('sha256').update(JSON.stringify(job.hyperParameters)).digest().readUInt32BE(0),
    };
  }
}

interface Learner {
  readonly process: ChildProcess;
  /** The end of what it wrote to its standard error. */
  complaint: string;
}

const hourMs = 3_600_000;
/** About 1,100 records of 250 tokens over three epochs in three quarters of an hour. */
const tokensPerHour = 1_100_000;

function needsLearner(job: JobRecord): boolean {
  if (job.settled || job.stopRequestedAt !== null || job.trained || job.learnerFailure) return false;
  return job.checked?.failure === undefined || job.checked.failure === null;
}

function forkLearner(): ChildProcess {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return fork(fileURLToPath(new URL('./process.ts', import.meta.url)), {
    execArgv: ['--import', loader],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  });
}
