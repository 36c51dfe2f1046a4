import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ValidationReport } from '../../../activities/validation/report/report.js';
import type { Quantization } from '../../../domain/artifact.js';
import { datasetManifestSchema } from '../../../domain/dataset/manifest.js';
import { parityCells, parityHead } from '../../../domain/parity.js';
import type { RunResult } from '../../../domain/run-state.js';
import type { Dependencies } from '../../../workers/dependencies.js';
import { baseModelName } from '../../local/layout.js';
import { pathFromClone } from '../../repository-root.js';
import { tableLines } from '../../table.js';
import { mustHold, type Stage } from '../act.js';
import { indent } from '../first-model.js';
import { askBaseModel, type BaseModelAnswers } from './base-model-answers.js';
import { drawLossCurve } from './loss-curve.js';
import { renderWithShuffledScores } from './shuffle-scores.js';

/** How much is trained and asked; the defaults are for two idle cores. */
export interface LocalDemoSize {
  readonly records: number;
  readonly steps: number;
  readonly shuffledSteps: number;
  readonly batchSize: number;
}

export interface LocalAct {
  readonly stage: Stage;
  readonly dependencies: Dependencies;
  readonly size: LocalDemoSize;
  readonly policy: string;
}

/** What the table at the end shows of a run. */
export interface TrainedRun {
  readonly result: RunResult;
  readonly report: ValidationReport;
  readonly lastLoss: number;
  readonly minutes: number;
}

const dataSeed = 1;
/** Some twenty held-out records, by the hash of their handles. */
const validationShare = 0.1;

/** Act 1: real weights learn the task, and the champion is compared with the model that it was made of. */
export async function realModel(act: LocalAct): Promise<{ run: TrainedRun; base: BaseModelAnswers }> {
  const { stage, dependencies, size } = act;
  const { print, recipe, signal } = stage;
  print('\nAct 1: real weights learn to score profiles\n');
  print(`  Data: ${size.records} invented profiles with scores. No real person is among them.\n`);
  const source = { kind: 'builder', backend: 'synthetic', records: size.records, seed: dataSeed };
  const run = await train(act, {
    workflowId: 'fine-tune/profiles',
    summary: 'Real LoRA on invented profiles',
    source,
    maximumSteps: size.steps,
    compare: ['f16', 'q4_k_m'],
  });
  mustHold(run.result.outcome === 'promoted', `the model is promoted, not ${describeEnd(run)}`);

  print('\n  The untrained model is asked the held-out questions, too:');
  const base = await askBaseModel({
    dependencies,
    recipe,
    baseModel: baseModelName,
    manifest: await manifestOf(dependencies, run.result),
    samples: run.report.samples.correct ?? 0,
    signal,
    progress: (line) => print(`    ${line}`),
  });
  print(`\n  Right on records that were not in training (handle, and score within 0.10):`);
  print(`    before, untrained ${baseModelName}:  ${base.correct} of ${base.asked}`);
  print(`    after, champion version ${run.result.champion}:  ${correctIn(run.report)}`);
  print('\n  What the untrained model said to the first of them:');
  print(indent(base.example.trim().split('\n').slice(0, 6).join('\n')));
  mustHold(
    correctCount(run.report) > base.correct,
    `the champion answers more of them right than the untrained model`,
  );
  await answerRequest(stage, 'infer/first');
  return { run, base };
}

/** Act 2: the same profiles with somebody else's scores. Every row is clean; the gates must see it. */
export async function shuffledScores(act: LocalAct, champion: number | null): Promise<TrainedRun> {
  const { stage, size } = act;
  const { print, recipe, stack } = stage;
  print('\nAct 2: the same profiles, their scores and reasons shuffled\n');
  const records = [
    ...(recipe.builder?.build({ backend: 'synthetic', records: size.records, seed: dataSeed }) ?? []),
  ];
  const folder = join(stack.home.path, 'data');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'shuffled-scores.jsonl');
  writeFileSync(path, renderWithShuffledScores(records, 11));
  const source = { kind: 'file', path: pathFromClone(path) };
  const run = await train(act, {
    workflowId: 'fine-tune/shuffled',
    summary: 'Real LoRA on shuffled scores',
    source,
    maximumSteps: size.shuffledSteps,
    compare: [],
  });
  mustHold(run.result.outcome === 'rejected', `the model is rejected, not ${describeEnd(run)}`);
  mustHold(run.result.champion === champion, 'the champion is the version it was');
  print('\n  The champion answers as before:');
  await answerRequest(stage, 'infer/after-shuffled');
  return run;
}

interface TrainingOrder {
  readonly workflowId: string;
  readonly summary: string;
  readonly source: object;
  readonly maximumSteps: number;
  /** Formats that are measured beside the one that is served. */
  readonly compare: readonly Quantization[];
}

async function train(
  { stage, dependencies, size, policy }: LocalAct,
  { workflowId, summary, source, maximumSteps, compare }: TrainingOrder,
): Promise<TrainedRun> {
  const { print, recipe } = stage;
  const startedAt = performance.now();
  const { batchSize } = size;
  const hyperparameters = { maximumSteps, batchSize, learningRate: 0.0012, maximumSequenceLength: 512 };
  const followed = await stage.fineTune(workflowId, summary, {
    recipe: recipe.name,
    dataset: { source, validationShare },
    training: { provider: 'local', baseModel: baseModelName, hyperparameters },
    conversion: { quantization: 'q8_0', compare },
    deployment: { target: 'llama-cpp' },
    validation: { policy },
  });
  const { result, closed, failure } = followed;
  if (!result) throw new Error(`The run ended as ${closed}: ${failure}`);
  const report = await reportOf(dependencies, result);
  const losses = report.lossCurve?.training ?? [];
  print('\n  Training loss:');
  for (const line of drawLossCurve(losses)) print(`    ${line}`);
  print('\n  Parity with the trained weights:');
  for (const line of tableLines([parityHead, ...(report.parity ?? []).map(parityCells)])) print(`  ${line}`);
  print('\n  Gates:');
  for (const { status, critical, explanation } of report.checks) {
    print(`    ${status.padEnd(6)} ${critical ? '' : '(reported only) '}${explanation}`);
  }
  await stage.summarize(workflowId, result);
  return { result, report, lastLoss: losses.at(-1)?.[1] ?? Number.NaN, minutes: minutesSince(startedAt) };
}

/** The first question of a process loads the model and may take longer than a user is made to wait. */
async function answerRequest(stage: Stage, workflowId: string): Promise<void> {
  const request = {
    handle: 'reef_notes',
    display_name: 'Ilse Baum',
    bio: 'Postdoc in marine ecology at Northfield University.',
    created_at: '2016-05-20',
    follower_count: 804,
    location: 'Northfield',
  };
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const input = { recipe: stage.recipe.name, request };
    const answer = await stage.infer(`${workflowId}-${attempt}`, input);
    stage.print(`    ${JSON.stringify(answer.response)}`);
    if (answer.source === 'model' || answer.source === 'model_retry') return;
    stage.print(`    not from the model: ${answer.fallbackReason}`);
  }
  mustHold(false, 'the champion answers a request');
}

async function manifestOf({ objects }: Dependencies, { dataset }: RunResult) {
  const text = dataset && (await objects.getText(dataset.uri));
  return datasetManifestSchema.parse(JSON.parse(text ?? 'null'));
}

/** Throws where a run ended before its gates: what it has to say then is no validation report. */
async function reportOf({ objects }: Dependencies, result: RunResult): Promise<ValidationReport> {
  if (result.report && !result.report.endsWith('.html')) {
    throw new Error(`The run ended as ${result.outcome} before its gates were asked: ${result.report}`);
  }
  const text = result.report && (await objects.getText(result.report.replace(/\.html$/, '.json')));
  if (!text) throw new Error(`There is no report of ${result.model} version ${result.version}`);
  return JSON.parse(text) as ValidationReport;
}

export function correctIn(report: ValidationReport): string {
  return `${correctCount(report)} of ${report.samples.correct ?? 0}`;
}

function correctCount({ metrics, samples }: ValidationReport): number {
  return Math.round((metrics.correct ?? 0) * (samples.correct ?? 0));
}

function describeEnd({ result, report }: TrainedRun): string {
  const failed = report.checks.filter(({ status, critical }) => critical && status !== 'pass');
  return `${result.outcome}: ${failed.map(({ explanation }) => explanation).join(' ')}`;
}

function minutesSince(startedAtMs: number): number {
  return (performance.now() - startedAtMs) / 60_000;
}
