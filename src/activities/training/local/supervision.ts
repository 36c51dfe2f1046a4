import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDetached } from '../../detached-program.js';
import { isAlive, processIdentity } from '../../process-identity.js';
import { readRecord, writeRecord } from '../../record-files.js';
import type { JobFolder } from './job-folder.js';
import { findMissingTool, type LocalTrainingOptions } from './options.js';

interface RecordedProcess {
  readonly pid: number;
  readonly identity: string | null;
}

interface RecordedSupervisor extends RecordedProcess {
  readonly phase: 'starting' | 'queued' | 'training';
  /** Jobs that have to end before this one starts. */
  readonly before: number;
}

/** What the processes of a job that has not ended are doing. */
export type Supervision =
  | { readonly phase: 'starting' | 'training' }
  | { readonly phase: 'queued'; readonly before: number }
  /** Nothing runs, and nothing can be started; `reason` says what to do. */
  | { readonly phase: 'stuck'; readonly reason: string };

const program = fileURLToPath(new URL('supervisor.py', import.meta.url));

/**
 * Sees to it that a job that has not ended is looked after: starts a supervisor where none lives. Safe to repeat
 * and to do at the same time: a second supervisor of one job ends at once, by the lock that the first one holds.
 */
export async function keepGoing(options: LocalTrainingOptions, job: JobFolder): Promise<Supervision> {
  const supervisor = await readRecord<RecordedSupervisor>(join(job.path, 'supervisor.json'));
  const trainer = await readRecord<RecordedProcess>(join(job.path, 'trainer.json'));
  const isTraining = lives(trainer);
  if (lives(supervisor)) {
    if (isTraining) return { phase: 'training' };
    const { phase, before } = supervisor as RecordedSupervisor;
    return phase === 'queued' ? { phase, before } : { phase: 'starting' };
  }
  if (!lives(await readRecord<RecordedProcess>(startingRecord(job)))) {
    const missing = findMissingTool(options);
    if (missing) return isTraining ? { phase: 'training' } : { phase: 'stuck', reason: missing };
    await startSupervisor(options, job);
  }
  return { phase: isTraining ? 'training' : 'starting' };
}

async function startSupervisor(options: LocalTrainingOptions, job: JobFolder): Promise<void> {
  const settings = {
    job: job.path,
    slots: join(options.home, 'local', 'slots'),
    trainers: options.trainers,
    training: options.trainingDirectory,
    graceSeconds: options.graceSeconds ?? 60,
    restartSeconds: options.restartSeconds ?? 2,
  };
  const { pid = 0 } = await startDetached({
    python: options.python,
    program,
    settings,
    folder: job.path,
    logFile: join(job.path, 'supervisor.log'),
  });
  await writeRecord(startingRecord(job), { pid, identity: processIdentity(pid) });
}

/** Who was started last, until the one that holds the lock has written itself down. */
function startingRecord(job: JobFolder): string {
  return join(job.path, 'supervisor-starting.json');
}

function lives(recorded: RecordedProcess | null): boolean {
  return (
    recorded !== null && recorded.identity !== null && isAlive({ ...recorded, identity: recorded.identity })
  );
}
