import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatUsd } from '../../domain/money.js';
import { loadRecipes } from '../../recipes/registry.js';
import { connectTemporal } from '../../workers/dependencies.js';
import { repositoryRoot } from '../repository-root.js';
import { homeAt } from '../stack/home.js';
import { type Stack, startStack } from '../stack/stack.js';
import { StackInterrupted } from '../stack/stack-error.js';
import { tableLines } from '../table.js';
import { type ActSummary, Stage } from './act.js';
import { badCandidate } from './bad-candidate.js';
import { badData } from './bad-data.js';
import { firstModel } from './first-model.js';

export interface DemoOptions {
  /** The demo's own home is the folder `demo` in this one; `.anneal` or ANNEAL_HOME unless given. */
  readonly home?: string | undefined;
  /** Leaves the stack running at the end, until Ctrl-C. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

const demoRecipe = 'stylist';
/** An hour of the local cloud passes in five seconds. */
const clockScale = 720;

/** Runs the main job in three acts on a stack of its own, in a home of its own that starts empty. */
export async function runDemo({ home, keep, signal, print }: DemoOptions): Promise<void> {
  const startedAt = Date.now();
  print('Anneal: from data to champion, through a crash, and a bad candidate back out.');
  print('Everything bought here is simulated by the local cloud; no AWS account is involved.\n');
  const stack = await startFresh(join(homeAt(home).path, 'demo'), signal, print);
  try {
    print(`\n  Web UI: ${stack.uiUrl}`);
    const recipe = loadRecipes(join(repositoryRoot, 'recipes')).get(demoRecipe);
    if (!recipe) throw new Error(`There is no recipe ${demoRecipe}`);
    const request = JSON.parse(
      readFileSync(join(repositoryRoot, 'recipes', demoRecipe, 'examples', 'request.json'), 'utf8'),
    ) as object;
    const client = await connectTemporal(stack.temporalAddress, stack.namespace);
    try {
      const stage = new Stage(stack, client, recipe, print, signal);
      await firstModel(stage, request);
      await badCandidate(stage, request);
      await badData(stage);
      await printSummary(stage, startedAt);
    } finally {
      await client.connection.close();
    }
    if (keep) await waitForInterrupt(stack, signal, print);
  } catch (error) {
    throw signal.aborted ? new StackInterrupted() : error;
  } finally {
    await stack.stop();
  }
}

/** The demo's state is its own: every showing starts with an empty cloud and an empty registry. */
async function startFresh(home: string, signal: AbortSignal, print: (line: string) => void): Promise<Stack> {
  return startStack({
    home,
    fresh: true,
    clockScale,
    signal,
    onProgress: (line) => print(`  ${line}`),
    environment: { ANNEAL_WAITING_SECONDS: '1,1,1', ANNEAL_LEASE_WATCH_SECONDS: '2' },
  });
}

async function printSummary(stage: Stage, startedAt: number): Promise<void> {
  const { print } = stage;
  const rows = [
    ['run', 'outcome', 'verdict', 'spend (simulated)', 'report'],
    ...stage.summaries.map(({ run, outcome, verdict, spendUsd, report }: ActSummary) => [
      run,
      outcome,
      verdict,
      formatUsd(spendUsd),
      report,
    ]),
  ];
  print('');
  for (const line of tableLines(rows)) print(line);
  const { resources } = await stage.cloudState();
  print('\n  Still there, and what it costs:');
  for (const resource of resources.filter(
    ({ isLive, kind }) => isLive && kind !== 'trainingJob' && kind !== 'bucket',
  )) {
    print(`    ${resource.kind} ${resource.name}: ${formatUsd(resource.usdPerHour)} an hour (champion)`);
  }
  print(`\n  ${((Date.now() - startedAt) / 1000).toFixed(0)} s from the start of the stack.`);
}

async function waitForInterrupt(
  stack: Stack,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<void> {
  print(`\n  The stack goes on until Ctrl-C. Web UI: ${stack.uiUrl}; addresses: ${stack.home.stackFile}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
