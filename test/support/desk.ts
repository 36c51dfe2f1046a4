import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { deskClockScale, environmentForDesk } from '../../src/client/commands/up.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { type Stack, startStack } from '../../src/client/stack/stack.js';
import type { LedgerEntry, SandboxLedger, SandboxResource, SandboxState } from '../../src/sandbox/admin.js';

/** What a command line printed, and how it ended. */
export interface Typed {
  readonly exitCode: number;
  readonly output: string;
  readonly seconds: number;
}

/** A stack as `npm run up` starts it, in a home of its own, with a terminal beside it. */
export interface Desk {
  readonly stack: Stack;
  /** What that terminal exports. */
  readonly environment: NodeJS.ProcessEnv;
  /** Runs a command line in the clone's folder, as a person at a terminal would. */
  type(commandLine: string): Promise<Typed>;
  ledger(): Promise<readonly LedgerEntry[]>;
  /** What costs money in the local cloud now. */
  live(): Promise<SandboxResource[]>;
  stop(): Promise<void>;
}

/** No command of a test takes longer; a hanging one is ended. */
const patienceMs = 120_000;

export async function startDesk({ clockScale = deskClockScale } = {}): Promise<Desk> {
  const home = mkdtempSync(join(tmpdir(), 'anneal-desk-'));
  const stack = await startStack({ home, clockScale, environment: environmentForDesk() });
  const { DATABASE_URL: _, ...inherited } = stack.environment;
  const environment = {
    ...inherited,
    ANNEAL_HOME: home,
    PATH: `${join(repositoryRoot, '.anneal/bin')}${delimiter}${process.env.PATH}`,
  };
  const admin = async <T>(what: string): Promise<T> =>
    (await (await fetch(`${stack.awsEndpoint}/_anneal/${what}`)).json()) as T;
  return {
    stack,
    environment,
    type: (commandLine) => typeInto(commandLine, environment),
    ledger: async () => (await admin<SandboxLedger>('ledger')).entries,
    live: async () => (await admin<SandboxState>('state')).resources.filter(isLiveAndPaid),
    stop: async () => {
      await stack.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function typeInto(commandLine: string, environment: NodeJS.ProcessEnv): Promise<Typed> {
  const startedAt = performance.now();
  const { exitCode, stdout, stderr, timedOut } = await execa('bash', ['-c', commandLine], {
    cwd: repositoryRoot,
    env: environment,
    extendEnv: false,
    reject: false,
    timeout: patienceMs,
  });
  if (timedOut) throw new Error(`No end within ${patienceMs / 1000} s: ${commandLine}\n${stdout}\n${stderr}`);
  return {
    exitCode: exitCode ?? -1,
    output: `${stdout}\n${stderr}`,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** Buckets cost nothing here, and a job that has ended costs nothing any more. */
function isLiveAndPaid({ kind, isLive, status }: SandboxResource): boolean {
  if (kind === 'bucket') return false;
  if (kind === 'trainingJob') return status === 'InProgress' || status === 'Stopping';
  return isLive;
}
