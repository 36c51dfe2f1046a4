import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Program, provideProgram } from '../../../scripts/setup/programs.mjs';
import { currentWorkflowBundle } from '../../../scripts/setup/workflow-bundle.mjs';
import { localFolders } from '../local/layout.js';
import { venvPython } from '../local/python-tools.js';
import { repositoryRoot } from '../repository-root.js';
import type { Launcher } from './launcher.js';
import type { ManagedProcess } from './managed-process.js';
import { freePort, withPortRetries } from './ports.js';
import type { StackOptions } from './stack.js';
import { withoutTemporalSettings } from './temporal-server.js';

const usualSandboxPort = 4570;

export type LocalCloudOptions = Pick<StackOptions, 'training' | 'trainingHours' | 'faults' | 'readings'> & {
  readonly clockScale: number;
};

/** Starts the local cloud; returns its endpoint. Paths in its options are relative to the clone. */
export async function startSandbox(
  launcher: Launcher,
  { clockScale, training, trainingHours, faults, readings }: LocalCloudOptions,
  signal?: AbortSignal,
): Promise<string> {
  mkdirSync(launcher.home.cloud, { recursive: true });
  return withPortRetries(async (attempt) => {
    const port = await freePort(attempt === 0 ? usualSandboxPort : null);
    const options = ['--port', port, '--state-directory', launcher.home.cloud, '--clock-scale', clockScale];
    if (training !== undefined) options.push('--training', training, '--python', trainingPython(launcher));
    if (trainingHours !== undefined) options.push('--training-hours', trainingHours);
    if (faults !== undefined) options.push('--faults', faults);
    if (readings !== undefined) options.push('--readings', readings);
    const sandbox = await launcher.start({
      name: 'sandbox',
      ...(await compiled('sandbox', options.map(String))),
      env: withoutForeignSettings(process.env),
      logPath: launcher.logPath('sandbox'),
    });
    const ready = await sandbox.until(() => readyLine(sandbox), { timeoutMs: 30_000, signal });
    return `http://127.0.0.1:${ready.port ?? port}`;
  });
}

/** The Python that the worker trains with, too. */
function trainingPython({ home }: Launcher): string {
  return resolve(process.env.ANNEAL_LOCAL_PYTHON || venvPython(localFolders(home)));
}

/** Starts one worker and waits until it polls. */
export async function startWorker(
  launcher: Launcher,
  environment: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<ManagedProcess> {
  const worker = await launcher.start({
    name: 'worker',
    ...(await compiled('worker', [])),
    env: environment,
    logPath: launcher.logPath('worker'),
  });
  await worker.until(() => readyLine(worker), { timeoutMs: 60_000, signal });
  return worker;
}

/**
 * What a worker of this stack sees: our own environment without anybody's Temporal or AWS settings, so that
 * it can reach neither another server nor a real account, and the stack's addresses.
 */
export function workerEnvironment(
  launcher: Launcher,
  addresses: { temporal: Readonly<Record<string, string>>; databaseUrl: string; awsEndpoint: string | null },
  extra: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  const bundle = currentWorkflowBundle(repositoryRoot);
  return {
    ...withoutForeignSettings(process.env),
    ...addresses.temporal,
    ANNEAL_CLOUD: 'sandbox',
    ...(addresses.awsEndpoint ? { ANNEAL_AWS_ENDPOINT: addresses.awsEndpoint } : {}),
    ANNEAL_HOME: launcher.home.path,
    // The local cloud's hours pass in seconds, and so do the looks at what takes hours.
    ANNEAL_CALLS_PER_SECOND: '200',
    // This server has them: it is started with their names.
    ANNEAL_SEARCH_ATTRIBUTES: 'true',
    DATABASE_URL: addresses.databaseUrl,
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_EC2_METADATA_DISABLED: 'true',
    // The SDK reads credentials and regions from these files: there must be none.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    ...(bundle ? { ANNEAL_WORKFLOW_BUNDLE: bundle } : {}),
    ...extra,
  };
}

function withoutForeignSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(withoutTemporalSettings(environment)).filter(
    ([name]) => !name.startsWith('AWS_') && name !== 'ANNEAL_AWS_ACCOUNT' && name !== 'NODE_OPTIONS',
  );
  return { ...Object.fromEntries(own), AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
}

/** Node itself runs the file, not a shell or a wrapper, so that the process number is the program's own. */
async function compiled(program: Program, args: readonly string[]) {
  const file = await provideProgram(repositoryRoot, program);
  return {
    command: process.execPath,
    args: ['--enable-source-maps', file, ...args],
    cwd: repositoryRoot,
  };
}

/** Our programs print one line of JSON with `"ready": true` when they are. */
function readyLine(program: ManagedProcess): { ready: true; port?: number } | null {
  for (const line of program.output().split('\n')) {
    if (!line.startsWith('{') || !line.includes('"ready"')) continue;
    try {
      const message = JSON.parse(line) as { ready?: boolean; port?: number };
      if (message.ready === true) return { ...message, ready: true };
    } catch {
      // Half a line: the rest comes with the next look.
    }
  }
  return null;
}
