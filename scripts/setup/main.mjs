import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dependenciesState, installDependencies } from './dependencies.mjs';
import { checkDiskSpace, megabytes } from './disk.mjs';
import { acquireSetupLock } from './lock.mjs';
import { exitCodes, SetupProblem } from './problem.mjs';
import { stopRunningProcesses } from './process.mjs';
import { compilePrograms, programsState } from './programs.mjs';
import { installTemporal, temporalState } from './temporal.mjs';
import { buildWorkflowBundle, workflowBundleState } from './workflow-bundle.mjs';

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Does what is missing and nothing else. Returns the exit code, which it also sets; reports problems itself.
 * Several set-ups of one clone may run at the same time: they wait for each other.
 */
export async function main({ needsTemporal = true, needsBundle = true, root = repositoryRoot } = {}) {
  const stopListening = stopWhenInterrupted();
  try {
    const steps = [
      dependencies,
      ...(needsTemporal ? [temporal] : []),
      ...(needsBundle ? [workflowBundle, compiledPrograms] : []),
    ];
    if ((await missingSteps(root, steps)).length > 0) await setUp(root, steps);
    return 0;
  } catch (error) {
    console.error(error instanceof SetupProblem ? error.message : error);
    process.exitCode = error instanceof SetupProblem ? error.exitCode : exitCodes.unexpected;
    return process.exitCode;
  } finally {
    stopListening();
  }
}

const dependencies = {
  title: 'dependencies',
  state: dependenciesState,
  run: installDependencies,
  downloadMegabytes: 900,
};
const temporal = {
  title: 'temporal CLI',
  state: temporalState,
  run: installTemporal,
  downloadMegabytes: 250,
};
const workflowBundle = {
  title: 'workflow bundle',
  state: workflowBundleState,
  run: buildWorkflowBundle,
  downloadMegabytes: 10,
};

const compiledPrograms = {
  title: 'programs',
  state: programsState,
  run: compilePrograms,
  downloadMegabytes: 10,
};

async function missingSteps(root, steps) {
  const missing = [];
  for (const step of steps) {
    const reason = await step.state(root);
    if (reason !== null) missing.push({ ...step, reason });
  }
  return missing;
}

async function setUp(root, steps) {
  makeStateDirectory(root);
  const release = await acquireSetupLock(resolve(root, '.anneal/setup.lock'), (pid) =>
    console.log(`Another set-up of this clone is running (process ${pid}); waiting for it.`),
  );
  try {
    const missing = await missingSteps(root, steps);
    if (missing.length === 0) return;
    checkDiskSpace(
      root,
      missing.reduce((sum, { downloadMegabytes }) => sum + downloadMegabytes, 100),
    );
    console.log('Setting up Anneal in node_modules and .anneal (once):');
    const startedAt = performance.now();
    for (const step of steps) {
      // Looked at again: the bundle's state is known only once the dependencies are there.
      const reason = await step.state(root);
      if (reason !== null) await showStep(root, { ...step, reason });
    }
    console.log(`Ready after ${seconds(startedAt)}.\n`);
  } finally {
    release();
  }
}

async function showStep(root, { title, reason, run }) {
  const startedAt = performance.now();
  process.stdout.write(`  ${title.padEnd(15)} ${reason} … `);
  let result;
  try {
    result = await run(root);
  } catch (error) {
    console.log('failed');
    throw error;
  }
  const size = result.bytes === undefined ? '' : `, ${megabytes(result.bytes)}`;
  console.log(`${result.summary}, ${seconds(startedAt)}${size}`);
}

function makeStateDirectory(root) {
  try {
    if (!existsSync(resolve(root, '.anneal'))) mkdirSync(resolve(root, '.anneal'));
  } catch (error) {
    throw new SetupProblem(
      exitCodes.disk,
      `${root} cannot be written to (${error.code}).`,
      'clone into a folder of your own, or mend its permissions.',
    );
  }
}

function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

/** Ctrl-C, a kill of npm, or its sudden death: nothing that was started stays behind. */
function stopWhenInterrupted() {
  const stop = async () => {
    await stopRunningProcesses();
    console.error('\nInterrupted. Run the same command again: it goes on where it can.');
    process.exit(exitCodes.interrupted);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.once(signal, stop);
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && process.env.npm_lifecycle_event && stop(), 500);
  watch.unref();
  return () => {
    clearInterval(watch);
    for (const signal of signals) process.removeListener(signal, stop);
  };
}
