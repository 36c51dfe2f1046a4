import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ValidationReport } from '../../../activities/validation/report/report.js';
import { formatUsd } from '../../../domain/money.js';
import type { DatasetSource } from '../../../domain/run-spec.js';
import type { RunResult } from '../../../domain/run-state.js';
import { indent } from '../../demo/first-model.js';
import { CommandFailure } from '../../exit.js';
import { repositoryRoot } from '../../repository-root.js';
import { tableLines } from '../../table.js';
import type { Trial } from '../trial.js';

/** One line of the table at the end. */
export interface LifecycleRow {
  readonly data: string;
  readonly recipe: string;
  readonly records: number | null;
  readonly sha256: string | null;
  readonly outcome: string;
  readonly verdict: string;
  readonly spend: string;
  readonly report: string;
}

/** A file that is not in the format: has to be refused with reason and remedy, before anything is bought. */
export async function refusedConversations(trial: Trial, path: string): Promise<LifecycleRow> {
  const { stage, promises, print } = trial;
  const before = (await stage.ledger()).length;
  const { closed, failure } = await stage.fineTune('fine-tune/aws-raw', "AWS's raw file", {
    recipe: 'conversation',
    model: 'aws-raw',
    dataset: { source: { kind: 'file', path } },
  });
  const bought = (await stage.ledger()).length - before;
  print(`\n${indent(failure ?? '')}\n`);
  promises.check(closed === 'FAILED' && (failure ?? '').startsWith('DatasetRejected'), `${path} is refused`);
  promises.check((failure ?? '').includes(`${path}:1 (byte 0)`), 'the refusal names file, line and byte');
  promises.check(
    (failure ?? '').includes('Write the row as'),
    'the refusal says how to write the row instead',
  );
  promises.check(bought === 0, `${bought} resources were bought`);
  return {
    ...{ data: path, recipe: 'conversation', records: null, sha256: null },
    ...{ outcome: 'refused', verdict: '-', spend: formatUsd(0), report: '-' },
  };
}

/** A file in the format: trained on, deployed, validated, promoted, and asked one of its own questions. */
export async function servedConversations(trial: Trial, path: string): Promise<LifecycleRow> {
  const { stage, promises, print } = trial;
  const model = 'aws-tools';
  const result = await lifecycle(trial, 'conversation', model, { kind: 'file', path });
  await printGates(trial, result);
  promises.check(result.outcome === 'promoted', `outcome ${result.outcome}; has to be promoted`);

  const request = firstQuestion(path);
  const answer = await stage.infer(`infer/${model}`, { recipe: 'conversation', model, request });
  print(`\n    asked     …${request.prompt.trim().slice(-90)}`);
  print(`    answered  ${JSON.stringify(answer.response)} (source: ${answer.source})`);
  promises.check(answer.source === 'model', 'the deployed model answers the smoke question');
  return rowOf(trial, path, 'conversation', result);
}

/** The whole lifecycle on word problems: any verdict will do, but every number of it has to be measured. */
export async function wordProblems(
  trial: Trial,
  model: string,
  source: Extract<DatasetSource, { path: string }>,
): Promise<LifecycleRow> {
  const { promises, recipe } = trial;
  const result = await lifecycle(trial, recipe.name, model, source);
  const { checks } = await printGates(trial, result);
  const unmeasured = checks.filter(({ value, samples }) => value === null || samples === 0);
  promises.check(
    unmeasured.length === 0,
    `${checks.length} gates, ${checks.length - unmeasured.length} of them measured`,
  );
  const isJudged = result.outcome === 'promoted' || result.outcome === 'rejected';
  promises.check(isJudged, `outcome ${result.outcome}, verdict ${result.verdict}`);
  return rowOf(trial, source.path, recipe.name, result);
}

async function lifecycle(
  { stage }: Trial,
  recipe: string,
  model: string,
  source: DatasetSource,
): Promise<RunResult> {
  const workflowId = `fine-tune/${model}`;
  const input = { recipe, model, dataset: { source } };
  const { result, closed, failure } = await stage.fineTune(workflowId, `${recipe} on real data`, input);
  if (!result) throw new CommandFailure(`${workflowId} ended ${closed}: ${failure}`);
  return result;
}

async function printGates(trial: Trial, result: RunResult): Promise<ValidationReport> {
  const report = await trial.report(result);
  const rows = report.checks.map(({ metric, op, threshold, value, samples, interval, critical, status }) => [
    metric,
    shown(value),
    interval ? `${shown(interval[0])} to ${shown(interval[1])}` : '-',
    String(samples),
    `${op} ${threshold}${critical ? ' (critical)' : ''}`,
    status,
  ]);
  const head = ['metric', 'measured', '95 % interval', 'samples', 'demanded', 'status'];
  trial.print('');
  for (const line of tableLines([head, ...rows])) trial.print(line);
  trial.print(`\n  verdict ${result.verdict}, outcome ${result.outcome}`);
  return report;
}

async function rowOf(
  { stage }: Trial,
  data: string,
  recipe: string,
  result: RunResult,
): Promise<LifecycleRow> {
  return {
    data,
    recipe,
    records: result.dataset?.records ?? null,
    sha256: result.dataset?.sha256 ?? null,
    outcome: result.outcome ?? '-',
    verdict: result.verdict ?? '-',
    spend: formatUsd(result.spendUsd),
    report: await stage.saveReport(result),
  };
}

/** The first conversation of the file, without its answer. */
function firstQuestion(path: string): { system: string; prompt: string } {
  const [line = ''] = readFileSync(join(repositoryRoot, path), 'utf8').split('\n');
  const { system, messages } = JSON.parse(line) as {
    system: { text: string }[];
    messages: { content: { text: string }[] }[];
  };
  return { system: system[0]?.text ?? '', prompt: messages[0]?.content[0]?.text ?? '' };
}

function shown(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)));
}
