import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { provideProgram } from '../../scripts/setup/programs.mjs';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { TestService } from './service.js';

/** A worker in a process of its own, as in production; `kill` ends it as a power cut would. */
export interface WorkerProcess {
  readonly pid: number;
  kill(): Promise<void>;
}

export async function spawnWorker(service: TestService): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [await provideProgram(repositoryRoot, 'worker')], {
    env: {
      ...process.env,
      ...service.environment,
      TEMPORAL_ADDRESS: service.addresses.temporalAddress,
      ANNEAL_WORKFLOW_BUNDLE: service.addresses.bundlePath,
      ANNEAL_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const ready = once(child.stdout, 'data');
  await Promise.race([
    ready,
    ended.then(([code]) => {
      throw new Error(`The worker ended with ${code} before it was ready`);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
