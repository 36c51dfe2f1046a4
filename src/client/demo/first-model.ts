import type { RunStatus } from '../../domain/run-state.js';
import { mustHold, type Stage } from './act.js';

/** Act 1: data to champion, with the worker killed while the training job runs. */
export async function firstModel(stage: Stage, request: object): Promise<Record<string, unknown>> {
  const { print, stack, recipe } = stage;
  print('\nAct 1: a first model, and a crash\n');
  let crashed = false;
  let trainingSince: number | null = null;
  const crashOnce = async (status: RunStatus) => {
    if (crashed || status.job?.status !== 'running') return;
    trainingSince ??= Date.now();
    if (Date.now() - trainingSince < 3000) return;
    crashed = true;
    print(`\n  !! kill -9 ${await stack.killWorker()} (the worker), in the middle of ${status.job.name}`);
    print(`  !! another worker starts: ${await stack.startWorker()}\n`);
  };
  const { result, closed, failure } = await stage.fineTune(
    'fine-tune/first',
    `First model of ${recipe.name}`,
    { recipe: recipe.name },
    crashOnce,
  );
  mustHold(crashed, 'the worker was killed during training');
  mustHold(
    result?.outcome === 'promoted',
    `the first model is promoted, not ${result?.outcome ?? closed}: ${failure}`,
  );
  if (!result) return {};

  const jobs = (await stage.ledger()).filter(
    ({ kind, action }) => kind === 'trainingJob' && action === 'create',
  );
  print(
    `\n  The cloud's ledger shows ${jobs.length} training job for this run: ${jobs.map(({ name }) => name).join(', ')}`,
  );
  mustHold(jobs.length === 1, 'exactly one training job was bought');
  await stage.summarize('first model, crash', result);

  print('\n  One request, answered by the champion:\n');
  const answer = await stage.infer('infer/first', { recipe: recipe.name, request });
  print(indent(JSON.stringify(answer, null, 2)));
  mustHold(answer.response !== null, 'the champion answers');
  print('\n  The same request, answered by the base model, unchecked:\n');
  const base = await stage.infer('infer/base', { recipe: recipe.name, serve: 'base', request });
  print(`    ${JSON.stringify(base.raw)}`);
  print(`    usable: ${base.response === null ? `no (${base.fallbackReason})` : 'yes'}`);
  return answer;
}

export function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
