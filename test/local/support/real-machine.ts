import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { type JobFolder, listJobs } from '../../../src/activities/training/local/job-folder.js';
import { clearLocalState, linkTools } from '../../../src/client/demo/local/demo-home.js';
import { baseModelName, localFolders } from '../../../src/client/local/layout.js';
import { type Home, homeAt } from '../../../src/client/stack/home.js';
import { startTestServers } from '../../support/servers.js';
import { startService, type TestService, type TestServiceOptions } from '../../support/service.js';
import { requireSetup, writeConversations } from '../programs.js';

/** A service whose runs train real weights in a home of their own; its workers are the test's to start and kill. */
export interface RealMachine {
  readonly home: Home;
  readonly service: TestService;
  /**
   * A whole lifecycle of ten steps, with the same data and seed unless told otherwise; `training` replaces parts of the
   * run spec's, `more` any other part of it.
   */
  start(training?: TrainingChange, answer?: (name: string) => string, more?: object): Promise<RealRun>;
  /** Programs of training/ that work in this home, by their command lines. */
  programs(name: ProgramName, model?: string): RunningProgram[];
  jobOf(model: string): Promise<JobFolder | undefined>;
  close(): Promise<void>;
}

export interface TrainingChange {
  readonly provider?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly hyperparameters?: Readonly<Record<string, number>>;
}

export interface RealRun {
  readonly model: string;
  readonly handle: WorkflowHandle;
}

export type ProgramName = 'train' | 'convert' | 'parity';

export interface RunningProgram {
  readonly pid: number;
  /** The file of its request, in the folder that it works in. */
  readonly request: string;
}

export async function startRealMachine(
  options: Pick<TestServiceOptions, 'sandbox' | 'clockScale' | 'environment'> = {},
): Promise<RealMachine> {
  requireSetup();
  const folder = mkdtempSync(join(tmpdir(), 'anneal-real-'));
  const home = homeAt(join(folder, 'home'));
  linkTools(home, localFolders(homeAt()));
  const servers = await startTestServers();
  const environment = { ...options.environment, ANNEAL_HOME: home.path };
  const service = await startService({ ...options, addresses: servers, worker: false, environment });
  return {
    home,
    service,
    start: async (training, answer, more) => {
      const model = service.newModel();
      const path = writeConversations(join(folder, `${model}.jsonl`), answer);
      const spec = { ...tenSteps(model, path, training), ...more };
      return { model, handle: await service.start('fineTune', spec) };
    },
    programs: (name, model = '') =>
      readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .flatMap((pid) => {
          const words = commandLine(pid);
          const request = words[words.indexOf(`anneal_training.${name}`) + 1] ?? '';
          const isOurs = words.includes(`anneal_training.${name}`) && request.startsWith(home.path);
          return isOurs && request.includes(model) ? [{ pid: Number(pid), request }] : [];
        }),
    jobOf: async (model) => (await listJobs(home.path)).find(({ jobName }) => jobName.startsWith(model)),
    close: async () => {
      await service.stop();
      await servers.close();
      await clearLocalState(home);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function tenSteps(model: string, path: string, { hyperparameters, ...training }: TrainingChange = {}) {
  return {
    recipe: 'conversation',
    model,
    dataset: { source: { kind: 'file', path }, validationShare: 0.25 },
    training: {
      provider: 'local',
      baseModel: baseModelName,
      // With one thread the same seed gives the same bytes.
      settings: { threads: 1 },
      ...training,
      hyperparameters: {
        maximumSteps: 10,
        batchSize: 1,
        checkpointSteps: 3,
        maximumSequenceLength: 256,
        learningRate: 0.001,
        ...hyperparameters,
      },
    },
    conversion: { parity: { prompts: 2, answerTokens: 16 } },
    validation: { samples: 1 },
  };
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Looks until something is there. */
export async function seen<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`Never seen: ${what}`);
    await sleep(20);
  }
}
