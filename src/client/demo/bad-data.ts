import { join } from 'node:path';
import { formatProblem } from '../../domain/dataset/problem.js';
import type { DatasetProblem } from '../../domain/dataset.js';
import { pathFromClone } from '../repository-root.js';
import { mustHold, type Stage } from './act.js';
import { writeBrokenFile } from './data-files.js';
import { indent } from './first-model.js';

/** Act 3: a file with broken lines never gets as far as money. */
export async function badData(stage: Stage): Promise<void> {
  const { print, recipe, stack } = stage;
  print('\nAct 3: bad data\n');
  const path = pathFromClone(writeBrokenFile(join(stack.home.path, 'data'), recipe));
  const before = (await stage.ledger()).length;
  const { closed, failure, details } = await stage.fineTune(
    'fine-tune/bad-data',
    'A file with broken lines',
    {
      recipe: recipe.name,
      dataset: { source: { kind: 'file', path } },
    },
  );
  print(`\n  ${closed}, before a cent was spent:`);
  for (const problem of details as readonly DatasetProblem[]) print(indent(formatProblem(problem)));
  mustHold(closed === 'FAILED' && (failure ?? '').startsWith('DatasetRejected'), 'the file is refused');
  mustHold((await stage.ledger()).length === before, 'nothing was bought');
  stage.summaries.push({ run: 'bad data', outcome: 'refused', verdict: '-', spendUsd: 0, report: '' });
}
