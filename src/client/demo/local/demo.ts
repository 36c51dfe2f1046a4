import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadRecipes } from '../../../recipes/registry.js';
import { connectTemporal, createDependencies } from '../../../workers/dependencies.js';
import { installLocalTools } from '../../local/install.js';
import { type LocalFolders, localFolders } from '../../local/layout.js';
import { repositoryRoot } from '../../repository-root.js';
import { type Home, homeAt } from '../../stack/home.js';
import { type Stack, startStack } from '../../stack/stack.js';
import { StackInterrupted } from '../../stack/stack-error.js';
import { tableLines } from '../../table.js';
import { configOf, withoutLooks } from '../../trials/trial.js';
import { Stage } from '../act.js';
import {
  correctIn,
  type LocalAct,
  type LocalDemoSize,
  realModel,
  shuffledScores,
  type TrainedRun,
} from './acts.js';
import type { BaseModelAnswers } from './base-model-answers.js';
import { clearLocalState, linkTools } from './demo-home.js';

export interface LocalDemoOptions {
  /** Holds the installed tools; the demo's own home is its folder `demo-local`. */
  readonly home?: string | undefined;
  readonly size: LocalDemoSize;
  /** Reports the time an answer takes without judging it. */
  readonly isMachineBusy: boolean;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

const demoRecipe = 'profile-scorer';

/** Set-up, a real model from data to champion, and one that learned nonsense; nothing is left running. */
export async function runLocalDemo(options: LocalDemoOptions): Promise<void> {
  const { signal, print } = options;
  const startedAt = performance.now();
  print('Anneal: real weights, trained, converted, served and judged on this machine.');
  print(
    'Simulated is the object store alone (files on this disk); there is no account and nothing is billed.\n',
  );
  const tools = homeAt(options.home);
  const ownPython = process.env.ANNEAL_LOCAL_PYTHON || null;
  await installLocalTools({
    ...{ home: tools, from: null, python: null, ownPython, temporaryFolder: tmpdir() },
    ...{ signal, print: (line: string) => print(indented(line)) },
  });
  const setUpMinutes = minutesSince(startedAt);
  const home = homeAt(join(tools.path, 'demo-local'));
  try {
    await withStack(home, localFolders(tools), options, async (act) => {
      const { run, base } = await realModel(act);
      const shuffled = await shuffledScores(act, run.result.champion);
      printSummary(act, { run, base, shuffled, setUpMinutes, minutes: minutesSince(startedAt) });
    });
  } catch (error) {
    throw signal.aborted ? new StackInterrupted() : error;
  }
}

/** What an earlier demo left is cleared once the home is ours, so that none that still runs is disturbed. */
async function withStack(
  home: Home,
  tools: LocalFolders,
  { size, isMachineBusy, signal, print }: LocalDemoOptions,
  body: (act: LocalAct) => Promise<void>,
): Promise<void> {
  const stack = await startStack({
    home: home.path,
    fresh: true,
    withWorker: false,
    signal,
    onProgress: (line) => print(`  ${line}`),
    environment: { ANNEAL_WAITING_SECONDS: '2,5,5', ANNEAL_LEASE_WATCH_SECONDS: '2' },
  });
  try {
    await clearLocalState(home);
    linkTools(home, tools);
    await stack.startWorker();
    const broken = stack.broken.then((error) => {
      throw error;
    });
    await Promise.race([withClients(stack, body, { size, isMachineBusy, signal, print }), broken]);
  } finally {
    await stack.stop();
    // Last: a worker would start a trainer again that is gone before its time.
    await clearLocalState(home);
  }
}

async function withClients(
  stack: Stack,
  body: (act: LocalAct) => Promise<void>,
  { size, isMachineBusy, signal, print }: LocalDemoOptions,
): Promise<void> {
  print(`\n  Web UI: ${stack.uiUrl}`);
  const recipe = loadRecipes(join(repositoryRoot, 'recipes')).get(demoRecipe);
  if (!recipe) throw new Error(`There is no recipe ${demoRecipe}`);
  const dependencies = await createDependencies(configOf(stack));
  const client = await connectTemporal(stack.temporalAddress, stack.namespace);
  try {
    const policy = isMachineBusy ? `${demoRecipe}-busy-machine` : demoRecipe;
    const stage = new Stage(stack, client, recipe, withoutFrequentLooks(print), signal);
    await body({ stage, dependencies, size, policy });
  } finally {
    await client.connection.close();
    await dependencies.close();
  }
}

/** A look every few seconds for minutes: one in fifteen seconds is enough to see that it goes on. */
function withoutFrequentLooks(print: (line: string) => void): (line: string) => void {
  const others = withoutLooks(print);
  let lastMs = Number.NEGATIVE_INFINITY;
  return (line) => {
    const look = /^\s+look \d+: (.*)$/.exec(line)?.[1];
    if (look === undefined) return others(line);
    if (performance.now() - lastMs < 15_000) return;
    lastMs = performance.now();
    print(`    ${look}`);
  };
}

function printSummary(
  { stage, size }: LocalAct,
  end: {
    readonly run: TrainedRun;
    readonly base: BaseModelAnswers;
    readonly shuffled: TrainedRun;
    readonly setUpMinutes: number;
    readonly minutes: number;
  },
): void {
  const { run, base, shuffled } = end;
  const row = (name: string, trained: TrainedRun, steps: number) => [
    name,
    String(trained.result.outcome),
    String(steps),
    trained.lastLoss.toFixed(3),
    correctIn(trained.report),
    `${trained.minutes.toFixed(1)} min`,
  ];
  const table = [
    ['model', 'outcome', 'steps', 'last loss', 'right on held-out', 'took'],
    ['untrained', '-', '0', '-', `${base.correct} of ${base.asked}`, '-'],
    row('trained on scores', run, size.steps),
    row('trained on shuffled scores', shuffled, size.shuffledSteps),
  ];
  stage.print('');
  for (const line of tableLines(table)) stage.print(line);
  for (const { run: name, report } of stage.summaries) stage.print(`  report of ${name}: ${report}`);
  stage.print(
    `\n  ${end.minutes.toFixed(1)} min in all, ${end.setUpMinutes.toFixed(1)} of them for set-up. Models and jobs of this demo are deleted; the tools stay.`,
  );
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}

function minutesSince(startedAtMs: number): number {
  return (performance.now() - startedAtMs) / 60_000;
}
