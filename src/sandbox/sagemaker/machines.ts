import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { World } from '../world.js';
import {
  failureReasonOf,
  layOut,
  logPath,
  removeMachine,
  saveCheckpoints,
  saveModel,
} from './machine-folder.js';
import { trainingJobProgress } from './progress.js';
import type { TrainingJobRecord } from './records.js';

interface Machine {
  readonly child: ChildProcess;
  /** Real time at which its program was asked to stop, and whether because its machine is taken back. */
  asked: { readonly atMs: number; readonly isInterrupted: boolean } | null;
}

const lookMs = 100;
/** As on SageMaker: between SIGTERM and SIGKILL, in real time. */
const graceMs = 120_000;
const program = fileURLToPath(new URL('machine.py', import.meta.url));

/**
 * Runs the programs of jobs that are really run, each as a child process in a folder laid out like a container's
 * `/opt/ml`. What should run follows from the clock; this makes it so, again and again, also after a restart.
 */
export class Machines {
  readonly #running = new Map<string, Machine>();
  readonly #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(
    private readonly world: World,
    private readonly python: string,
  ) {
    if (world.settings.training !== 'real') return;
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer) clearInterval(this.#timer);
    for (const { child } of this.#running.values()) child.kill('SIGQUIT');
  }

  #look(): void {
    for (const job of this.world.state.trainingJobs.values()) {
      if (job.settled || job.ended || job.plan.trainingMs !== null) continue;
      const { secondary } = trainingJobProgress(job, this.world.now());
      const machine = this.#running.get(job.arn);
      if (secondary === 'Training' && !machine) this.#start(job);
      // Stopped before its program ran, or while the sandbox was switched off.
      if (secondary === 'Stopping' && !machine) this.#record(job, null, null, false);
      if (secondary !== 'Training' && machine) this.#stop(machine, secondary === 'Interrupted');
    }
  }

  #start(job: TrainingJobRecord): void {
    const root = layOut(this.world, job);
    mkdirSync(dirname(logPath(this.world, job)), { recursive: true });
    const log = openSync(logPath(this.world, job), 'a');
    const { ContainerEntrypoint = [], ContainerArguments = [] } = job.request.AlgorithmSpecification ?? {};
    const command = [...ContainerEntrypoint, ...ContainerArguments];
    const child = spawn(this.python, ['-I', program, String(process.pid), ...command], {
      cwd: root,
      env: {
        // The container's `python3` is this machine's.
        PATH: [dirname(this.python), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
        HOME: root,
        ANNEAL_CONTAINER_ROOT: root,
        ANNEAL_CONTAINER_THREADS: '1',
        ...job.request.Environment,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const machine: Machine = { child, asked: null };
    this.#running.set(job.arn, machine);
    child.once('error', (error) => this.#record(job, null, `InternalServerError: ${error.message}`, false));
    child.once('exit', (exitCode) => {
      this.#end(job, machine, exitCode).catch((error: unknown) => console.error(error));
    });
  }

  #stop(machine: Machine, isInterrupted: boolean): void {
    if (machine.asked === null) {
      machine.asked = { atMs: performance.now(), isInterrupted };
      machine.child.kill('SIGTERM');
    } else if (performance.now() - machine.asked.atMs > graceMs) {
      machine.child.kill('SIGQUIT');
    }
  }

  async #end(job: TrainingJobRecord, { asked }: Machine, exitCode: number | null): Promise<void> {
    if (this.#isClosed) return;
    saveCheckpoints(this.world, job);
    if (asked?.isInterrupted) {
      removeMachine(this.world, job);
      this.#running.delete(job.arn);
      return;
    }
    const hasArtifact = await saveModel(this.world, job);
    const failureReason = exitCode === 0 ? null : failureReasonOf(this.world, job, exitCode);
    this.#record(job, exitCode, failureReason, hasArtifact);
    removeMachine(this.world, job);
  }

  #record(
    job: TrainingJobRecord,
    exitCode: number | null,
    failureReason: string | null,
    hasArtifact: boolean,
  ) {
    this.#running.delete(job.arn);
    const at = this.world.now();
    const ended = { at, exitCode, failureReason, hasArtifact };
    this.world.record({ type: 'trainingJob.ended', at, arn: job.arn, ended });
  }
}
