import { join } from 'node:path';
import { formatUsd } from '../../domain/money.js';
import { pathFromClone } from '../repository-root.js';
import { mustHold, type Stage } from './act.js';
import { writeShuffledFile } from './data-files.js';
import { indent } from './first-model.js';

/** Act 2: rows that are clean one by one but teach nonsense, served on hourly billed throughput. */
export async function badCandidate(stage: Stage, request: object): Promise<void> {
  const { print, recipe, stack } = stage;
  print('\nAct 2: a bad candidate\n');
  const path = pathFromClone(writeShuffledFile(join(stack.home.path, 'data'), recipe, 1));
  print(`  ${path}: every row is clean, but the answers are shuffled among the questions.\n`);
  const { result, closed, failure } = await stage.fineTune(
    'fine-tune/bad-candidate',
    'A candidate trained on shuffled answers',
    {
      recipe: recipe.name,
      dataset: { source: { kind: 'file', path } },
      deployment: { target: 'bedrock-provisioned' },
      budgetUsd: 200,
    },
  );
  mustHold(
    result?.outcome === 'rejected',
    `the candidate is rejected, not ${result?.outcome ?? closed}: ${failure}`,
  );
  if (!result) return;

  const throughputs = (await stage.ledger()).filter(({ kind }) => kind === 'provisionedThroughput');
  const deleted = throughputs.find(({ action }) => action === 'delete');
  print(
    `\n  Provisioned throughput ${deleted?.name}: ${deleted?.hoursBilled?.toFixed(2)} h billed, ${formatUsd(deleted?.usd ?? 0)}; it is gone.`,
  );
  mustHold(deleted !== undefined, 'the throughput was deleted');
  await stage.summarize('bad candidate', result);

  print('\n  The champion answers the same request as before:\n');
  const answer = await stage.infer('infer/after-bad-candidate', { recipe: recipe.name, request });
  print(indent(JSON.stringify(answer, null, 2).split('\n').slice(0, 12).join('\n')));
  mustHold(answer.version === result.champion, 'the champion is the version it was');
}
