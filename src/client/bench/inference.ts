import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { quantile } from 'simple-statistics';
import type { InferResult } from '../../activities/inference/activities.js';
import type { Recipe } from '../../domain/recipe.js';
import type { RunResult } from '../../domain/run-state.js';
import type { Dependencies } from '../../workers/dependencies.js';
import { type Comparison, compare, secondsOf, spreadOf } from './comparison.js';

const requestsPerRepetition = 30;

/** Seconds of one request through the durable inference path, against the bare model call in it. */
export async function benchInference(
  {
    client,
    dependencies,
    recipe,
    requestPath,
  }: {
    client: Client;
    dependencies: Dependencies;
    recipe: Recipe;
    requestPath: string;
  },
  repetitions: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  await serveChampion(client, recipe);
  const request = JSON.parse(readFileSync(requestPath, 'utf8')) as object;
  const direct = await directCall(dependencies, recipe, request);
  const sources = new Map<string, number>();
  const infer = async () => {
    const workflowId = `bench/infer/${crypto.randomUUID()}`;
    const options = { taskQueue: 'anneal', workflowId, args: [{ recipe: recipe.name, request }] };
    const { source } = (await client.workflow.execute('infer', options)) as InferResult;
    sources.set(source, (sources.get(source) ?? 0) + 1);
  };
  for (let warmUp = 0; warmUp < 5; warmUp += 1) {
    await direct();
    await infer();
  }
  sources.clear();
  const runs: Requests[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const run: Requests = { ours: [], against: [] };
    for (let index = 0; index < requestsPerRepetition; index += 1) {
      signal.throwIfAborted();
      run.against.push((await secondsOf(direct)) * 1000);
      run.ours.push((await secondsOf(infer)) * 1000);
    }
    runs.push(run);
  }
  return comparisons(runs, sources);
}

/** Milliseconds of each request of one repetition. */
interface Requests {
  readonly ours: number[];
  readonly against: number[];
}

function comparisons(runs: readonly Requests[], sources: ReadonlyMap<string, number>): Comparison[] {
  const written = [...sources].map(([source, count]) => `${source} ${count}`).join(', ');
  const remarks = [
    `${requestsPerRepetition} requests a repetition, one at a time, each beside a direct call; answers came from: ${written}.`,
  ];
  const added = spreadOf(
    runs.map(({ ours, against }) => quantile(ours, 0.5) - quantile(against, 0.5)),
  ).median;
  remarks.push(
    `The workflow adds ${added.toFixed(0)} ms to a request (median); the local cloud's model is no real one and answers at once.`,
  );
  return [0.5, 0.95].map((share) =>
    compare(
      {
        name: `inference, p${share * 100}`,
        ours: 'workflow infer, started and awaited',
        against: 'Converse of the same prompt through the SDK',
        unit: 'ms',
        better: 'lower',
      },
      runs.map(({ ours, against }) => ({ ours: quantile(ours, share), against: quantile(against, share) })),
      remarks,
    ),
  );
}

async function serveChampion(client: Client, recipe: Recipe): Promise<void> {
  const input = { recipe: recipe.name, validation: { samples: 100 } };
  const options = { taskQueue: 'anneal', workflowId: 'bench/champion', args: [input] };
  const { outcome, verdict } = (await client.workflow.execute('fineTune', options)) as RunResult;
  if (outcome !== 'promoted') throw new Error(`The champion to ask was ${outcome} (verdict ${verdict})`);
}

/** The call that the workflow makes, and nothing around it. */
async function directCall(dependencies: Dependencies, recipe: Recipe, request: object) {
  const champion = await dependencies.registry.champion(recipe.name);
  const deployment = champion?.deployment;
  const inference = deployment && dependencies.providers.inference.get(deployment.target);
  if (!deployment || !inference || !recipe.inference) throw new Error('There is no champion to ask');
  const { system, turns } = recipe.inference.prepare(request);
  const question = { modelId: deployment.deploymentId, system, turns, maxTokens: 1000, temperature: 0.7 };
  return () => inference.ask(question);
}
