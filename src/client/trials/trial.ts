import { join } from 'node:path';
import type { ValidationReport } from '../../activities/validation/report/report.js';
import type { Recipe } from '../../domain/recipe.js';
import type { RunResult } from '../../domain/run-state.js';
import { loadRecipes } from '../../recipes/registry.js';
import { loadConfig } from '../../workers/config.js';
import { connectTemporal, createDependencies, type Dependencies } from '../../workers/dependencies.js';
import { Stage } from '../demo/act.js';
import { aborted } from '../interruption.js';
import { repositoryRoot } from '../repository-root.js';
import { type Stack, type StackOptions, startStack } from '../stack/stack.js';
import { Promises } from './promises.js';

export interface TrialOptions {
  /** The stack lies under `.anneal/<name>`, or under `home`, and starts empty. */
  readonly name: string;
  readonly home?: string;
  readonly recipe: string;
  readonly stack: Pick<StackOptions, 'clockScale' | 'trainingHours' | 'environment' | 'readings'>;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
  /** What a run's stages and waits are printed with; `print` without the single looks unless given. */
  readonly printRun?: (line: string) => void;
}

/** What a trial works with: a stack of its own, and the promises it checks. */
export interface Trial {
  readonly stack: Stack;
  readonly stage: Stage;
  readonly recipe: Recipe;
  readonly promises: Promises;
  /** Clients of this stack, as the worker has them. */
  readonly dependencies: Dependencies;
  readonly print: (line: string) => void;
  report(result: RunResult): Promise<ValidationReport>;
}

/** Runs a trial on a fresh stack, ends the stack in any case, and throws when a promise was broken. */
export async function runTrial(options: TrialOptions, body: (trial: Trial) => Promise<void>): Promise<void> {
  const { name, signal, print } = options;
  const stack = await startStack({
    home: options.home ?? join('.anneal', name),
    fresh: true,
    ...options.stack,
    signal,
    onProgress: (line) => print(`  ${line}`),
  });
  try {
    const broken = stack.broken.then((error) => {
      throw error;
    });
    await Promise.race([withClients(stack, options, body), broken, interruption(signal)]);
  } finally {
    await stack.stop();
  }
}

async function interruption(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw signal.reason;
}

async function withClients(
  stack: Stack,
  options: TrialOptions,
  body: (trial: Trial) => Promise<void>,
): Promise<void> {
  const { print, signal } = options;
  const recipe = loadRecipes(join(repositoryRoot, 'recipes')).get(options.recipe);
  if (!recipe) throw new Error(`There is no recipe ${options.recipe}`);
  const dependencies = await createDependencies(configOf(stack));
  const client = await connectTemporal(stack.temporalAddress, stack.namespace);
  const promises = new Promises(print);
  try {
    const stage = new Stage(stack, client, recipe, options.printRun ?? withoutLooks(print), signal);
    const report = (result: RunResult) => readReport(dependencies, result);
    await body({ stack, stage, recipe, promises, dependencies, print, report });
    promises.settle();
  } finally {
    await client.connection.close();
    await dependencies.close();
  }
}

export function configOf(stack: Pick<Stack, 'awsEndpoint' | 'databaseUrl' | 'home'>) {
  return loadConfig({
    ANNEAL_CLOUD: 'sandbox',
    ANNEAL_AWS_ENDPOINT: stack.awsEndpoint ?? '',
    DATABASE_URL: stack.databaseUrl,
    ANNEAL_HOME: stack.home.path,
  });
}

/** The single looks of a wait are the demo's business; a trial prints what came of them. */
export function withoutLooks(print: (line: string) => void): (line: string) => void {
  return (line) => {
    if (!/^\s+look \d+:/.test(line)) print(line);
  };
}

async function readReport({ objects }: Dependencies, result: RunResult): Promise<ValidationReport> {
  const uri = result.report?.replace(/\.html$/, '.json');
  const text = uri ? await objects.getText(uri) : null;
  if (text === null) throw new Error(`There is no report of ${result.model} version ${result.version}`);
  return JSON.parse(text) as ValidationReport;
}
