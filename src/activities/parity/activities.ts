import { cancellationSignal } from '@temporalio/activity';
import type { Artifact } from '../../domain/artifact.js';
import type { DeploymentReference } from '../../domain/deployment.js';
import type { EvaluationCase, Verdict } from '../../domain/evaluation/evaluation.js';
import { PermanentFailure } from '../../domain/failures.js';
import { canonicalJson } from '../../domain/json.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { validationPrefix } from '../../domain/names.js';
import {
  decideParity,
  defaultTolerances,
  type FileMeasurement,
  fileRow,
  type ParityReference,
  type ParityRow,
  type ServedAnswer,
  servedRow,
  trainedRow,
} from '../../domain/parity.js';
import type { Recipe } from '../../domain/recipe.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import type { ObjectStore } from '../dataset/object-store.js';
import type { InferenceClient } from '../inference/client.js';
import { choose, type Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { heldOutRecords, loadManifest } from '../validation/held-out.js';
import { keepAlive } from '../waiting.js';
import { qualityOf } from './golden-questions.js';
import type { ParityMeter } from './meter.js';
import { parityUri, renderParityMarkdown, type StoredParity } from './report.js';

export interface MeasureParityInput {
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
  readonly author: Author;
}

export interface MeasureServedParityInput extends MeasureParityInput {
  readonly deployment: DeploymentReference;
}

export interface MeasuredParity {
  readonly verdict: Verdict;
  readonly rows: readonly ParityRow[];
  /** Markdown; `parity.json` lies beside it. */
  readonly reportUri: string;
}

export type ParityActivities = ReturnType<typeof createParityActivities>;
export type ServedParityActivities = ReturnType<typeof createServedParityActivities>;

export interface ParityDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly parity: ParityMeter;
}

/** Takes the machine for a while, as a conversion does. */
export function createParityActivities(dependencies: ParityDependencies) {
  return {
    /** Compares the converted files with the trained model, stores and records what it finds. */
    async measureParity(input: MeasureParityInput): Promise<MeasuredParity> {
      let doing = 'makes up the questions';
      return keepAlive(
        () => measureFiles(dependencies, input, (text) => (doing = text)),
        () => doing,
      );
    },
  };
}

export function createServedParityActivities(dependencies: ParityDependencies) {
  return {
    /** Compares the deployed model with its file; null where the file was never compared itself. */
    async measureServedParity(input: MeasureServedParityInput): Promise<MeasuredParity | null> {
      return keepAlive(() => measureServed(dependencies, input));
    },
  };
}

async function measureFiles(
  dependencies: ParityDependencies,
  { spec, version, author }: MeasureParityInput,
  report: (doing: string) => void,
): Promise<MeasuredParity> {
  const { recipes, objects, parity } = dependencies;
  const { conversion } = spec;
  const { artifact, modelId, modelName, baseModel } = version;
  if (conversion === null || artifact === null) {
    throw new PermanentFailure(
      'ConversionFailed',
      `ConversionFailed: version ${version.version} of ${version.model} was not converted. Start convert first.`,
    );
  }
  const recipe = choose(recipes, spec.recipe, 'recipe');
  const questions = await goldenQuestions(objects, recipe, spec, version, conversion.parity.prompts);
  const known = await findMeasured(objects, artifact, conversion, questions);
  const measure = () =>
    parity.measure(
      {
        modelId,
        modelName,
        baseModel,
        artifact,
        compare: conversion.compare,
        prompts: questions.map(({ id, system, turns }) => ({ id, system, turns })),
        answerTokens: conversion.parity.answerTokens,
      },
      report,
      cancellationSignal(),
    );
  const { reference, files } = known ?? (await measure());
  const rows = rowsOf(recipe, questions, reference, files, conversion);
  const stored: StoredParity = {
    schema: 'parity/v1',
    model: version.model,
    version: version.version,
    artifactSha256: artifact.sha256,
    ...(artifact.base && { baseSha256: artifact.base.sha256 }),
    plan: conversion.parity,
    questions,
    reference,
    files,
    rows,
    verdict: decideParity(rows),
  };
  await objects.put(parityUri(artifact.uri), `${JSON.stringify(stored)}\n`, 'application/json');
  return keep(dependencies, spec, author, stored, 'files');
}

/** What was measured of this very file with these questions before; the rows are judged anew. */
async function findMeasured(
  objects: ObjectStore,
  artifact: Artifact,
  { compare, parity }: NonNullable<ResolvedRunSpec['conversion']>,
  questions: readonly EvaluationCase[],
): Promise<StoredParity | null> {
  const stored = await readStored(objects, artifact);
  if (stored === null || stored.plan.answerTokens !== parity.answerTokens) return null;
  const formats = stored.files.map(({ format }) => format);
  if (!compare.every((format) => formats.includes(format))) return null;
  return canonicalJson(stored.questions) === canonicalJson(questions) ? stored : null;
}

/** Null where the file was never measured, or another one was. */
async function readStored(
  objects: ObjectStore,
  { uri, sha256, base }: Artifact,
): Promise<StoredParity | null> {
  const text = await objects.getText(parityUri(uri));
  if (text === null) return null;
  const stored = JSON.parse(text) as StoredParity;
  return stored.artifactSha256 === sha256 && stored.baseSha256 === base?.sha256 ? stored : null;
}

function rowsOf(
  recipe: Recipe,
  questions: readonly EvaluationCase[],
  reference: ParityReference,
  files: readonly FileMeasurement[],
  { quantization, parity }: NonNullable<ResolvedRunSpec['conversion']>,
): ParityRow[] {
  const quality = (answers: readonly { readonly text: string }[]) =>
    qualityOf(
      recipe,
      questions,
      answers.map(({ text }) => text),
    );
  const trained = quality(reference.answers);
  return [
    trainedRow(reference, trained),
    ...files.map((file) => {
      const decides = file.format === quantization;
      return fileRow({
        reference,
        trained,
        file,
        quality: file.problem === null ? quality(file.answers) : null,
        tolerance: decides ? parity.tolerance : defaultTolerances[file.format],
        decides,
      });
    }),
  ];
}

async function measureServed(
  dependencies: ParityDependencies,
  { spec, version, deployment, author }: MeasureServedParityInput,
): Promise<MeasuredParity | null> {
  const { recipes, objects, providers } = dependencies;
  const { artifact } = version;
  const stored = artifact && (await readStored(objects, artifact));
  const [file] = stored?.files ?? [];
  if (!stored || !file) return null;
  const recipe = choose(recipes, spec.recipe, 'recipe');
  const client = choose(providers.inference, deployment.target, 'deployment.target');
  const { answers, problem } = await askDeployment(client, deployment.deploymentId, stored);
  const texts = answers.map(({ text }) => text);
  const quality = problem === null ? qualityOf(recipe, stored.questions, texts) : null;
  const served = servedRow({ reference: stored.reference, file, answers, quality, problem });
  const rows = [...stored.rows, served];
  return keep(dependencies, spec, author, { ...stored, rows, verdict: decideParity(rows) }, 'served');
}

/** What a deployment can never answer is a finding; anything else is tried again. */
async function askDeployment(
  client: InferenceClient,
  modelId: string,
  { questions, plan }: StoredParity,
): Promise<{ answers: readonly ServedAnswer[]; problem: string | null }> {
  const answers: ServedAnswer[] = [];
  try {
    for (const { id, system, turns } of questions) {
      const question = { modelId, system, turns, maxTokens: plan.answerTokens, temperature: 0 };
      const { inputTokens, text } = await client.ask(question, cancellationSignal());
      answers.push({ id, inputTokens, text });
    }
    return { answers, problem: null };
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    return { answers, problem: error.message };
  }
}

async function keep(
  { objects, registry }: ParityDependencies,
  spec: ResolvedRunSpec,
  author: Author,
  stored: StoredParity,
  measured: 'files' | 'served',
): Promise<MeasuredParity> {
  const { verdict, rows, model, version } = stored;
  const prefix = `${validationPrefix(spec.run.bucket, spec.model, spec.run.key)}/parity/${measured}`;
  const reportUri = `${prefix}/parity.md`;
  await objects.put(`${prefix}/parity.json`, `${JSON.stringify(stored, null, 2)}\n`, 'application/json');
  await objects.put(reportUri, renderParityMarkdown(stored), 'text/markdown; charset=utf-8');
  await registry.recordParity(author, model, version, { measured, verdict, rows, reportUri });
  return { verdict, rows, reportUri };
}

async function goldenQuestions(
  objects: ObjectStore,
  recipe: Recipe,
  spec: ResolvedRunSpec,
  version: ModelVersion,
  samples: number,
): Promise<EvaluationCase[]> {
  const manifest = await loadManifest(objects, version.datasetManifestUri);
  const heldOut = await heldOutRecords(objects, manifest);
  return recipe.suite({ ...spec.validation, samples, heldOut }).slice(0, samples);
}
