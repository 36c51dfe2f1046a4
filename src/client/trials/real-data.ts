import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import { CommandFailure, exitCodes } from '../exit.js';
import { repositoryRoot } from '../repository-root.js';
import { tableLines } from '../table.js';
import {
  type LifecycleRow,
  refusedConversations,
  servedConversations,
  wordProblems,
} from './real-data/runs.js';
import { asTyped, runScript } from './script.js';
import { runTrial, type Trial } from './trial.js';

interface Options {
  readonly data?: string;
}

const usualFolder = '../shared/data';
const problems = 'nl4opt/dev.slim.jsonl';
const conversations = 'aws-nova/formatted_test_ft.jsonl';
const rawConversations = 'aws-nova/train_ft.jsonl';

const command = new Command('real-data')
  .description("Runs lifecycles on other people's data: word problems, and AWS's own files for Nova.")
  .option('--data <folder>', `the folder of the data (default: ${usualFolder} beside the clone)`)
  .addHelpText(
    'after',
    `
The folder has to hold ${problems} (NL4Opt competition, MIT), ${conversations}
and ${rawConversations} (AWS's workshop on Bedrock, MIT-0). None of it comes with the project.

Runs on a stack of its own under .anneal/real-data, against the local cloud: no account, no cost.

Fails unless the word problems are measured to the last number, from a file, a folder and object storage
alike; AWS's formatted file is trained on and served; and its raw file is refused before anything is bought.

Examples:
  npm run real-data
  npm run real-data -- --data ~/data`,
  );

await runScript<Options>(command, (options, signal) => {
  const folder = folderOf(options);
  return runTrial(
    {
      name: 'real-data',
      recipe: 'optimizer',
      stack: {
        clockScale: 3600,
        environment: { ANNEAL_WAITING_SECONDS: '0.5,0.5,0.5', ANNEAL_LEASE_WATCH_SECONDS: '2' },
      },
      signal,
      print: (line) => console.log(line),
    },
    (trial) => realData(trial, folder),
  );
});

async function realData(trial: Trial, folder: string): Promise<void> {
  const { print } = trial;
  const startedAt = performance.now();
  const path = (name: string) => relative(repositoryRoot, join(folder, name));
  const rows: LifecycleRow[] = [];

  print("\nAWS's raw file: refused, with nothing bought\n");
  rows.push(await refusedConversations(trial, path(rawConversations)));
  print("\nAWS's formatted file: trained on, deployed, asked\n");
  rows.push(await servedConversations(trial, path(conversations)));
  print('\nWord problems, from a file\n');
  const problemFile = path(problems);
  rows.push(await wordProblems(trial, 'optimizer', { kind: 'file', path: problemFile }));
  print('\nWord problems, from a folder\n');
  rows.push(await wordProblems(trial, 'optimizer-folder', { kind: 'folder', path: path('nl4opt') }));
  print('\nWord problems, from object storage\n');
  const stored = `s3://${trial.dependencies.bucket}/uploads/nl4opt`;
  await trial.dependencies.objects.putFile(`${stored}/dev.jsonl`, join(repositoryRoot, problemFile));
  rows.push(await wordProblems(trial, 'optimizer-stored', { kind: 'folder', path: `${stored}/` }));

  print('');
  const head = ['data', 'recipe', 'records', 'outcome', 'verdict', 'spend (simulated)', 'report'];
  const cells = rows.map((row) => [
    ...[row.data, row.recipe, String(row.records ?? '-'), row.outcome, row.verdict, row.spend, row.report],
  ]);
  for (const line of tableLines([head, ...cells])) print(line);
  const hashes = new Set(rows.filter(({ recipe }) => recipe === 'optimizer').map(({ sha256 }) => sha256));
  print('');
  trial.promises.check(
    hashes.size === 1,
    'file, folder and object storage make the same dataset, byte by byte',
  );
  print(`\n  ${((performance.now() - startedAt) / 1000).toFixed(0)} s for five runs.`);
}

function folderOf({ data }: Options): string {
  const folder = data === undefined ? join(repositoryRoot, usualFolder) : asTyped(data);
  const missing = [problems, conversations, rawConversations].filter(
    (name) => !existsSync(join(folder, name)),
  );
  if (missing.length === 0) return folder;
  const found = existsSync(folder) ? `found no ${missing.join(', no ')} in it` : 'found no such folder';
  throw new CommandFailure(
    `${data ?? usualFolder}: ${found}. The data does not come with the project: name the folder that holds ${problems}, ${conversations} and ${rawConversations} with npm run real-data -- --data FOLDER.`,
    exitCodes.badInput,
  );
}
