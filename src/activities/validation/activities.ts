import { createHash } from 'node:crypto';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { DatasetManifest } from '../../domain/dataset.js';
import type { DeploymentReference } from '../../domain/deployment.js';
import { aggregateMetrics } from '../../domain/evaluation/aggregate.js';
import { decideGate } from '../../domain/evaluation/decide.js';
import type { ScoredAnswer, Verdict } from '../../domain/evaluation/evaluation.js';
import type { CheckResult, GatePolicy } from '../../domain/evaluation/gate-policy.js';
import { canonicalJson } from '../../domain/json.js';
import type { LossCurve } from '../../domain/loss-curve.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { validationPrefix } from '../../domain/names.js';
import type { ParityRow } from '../../domain/parity.js';
import type { Recipe } from '../../domain/recipe.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import type { ObjectStore } from '../dataset/object-store.js';
import { choose, type Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import type { DeploymentUsage } from '../usage/deployment-usage.js';
import { keepAlive } from '../waiting.js';
import { askSuite } from './ask-suite.js';
import { heldOutRecords, loadManifest } from './held-out.js';
import { renderReportHtml } from './report/html.js';
import { renderReportMarkdown } from './report/markdown.js';
import {
  buildValidationReport,
  type ReportHeader,
  renderReportJson,
  type ValidationReport,
} from './report/report.js';

export interface EvaluateModelInput {
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
  readonly deployment: DeploymentReference;
  readonly author: Author;
  /** For the report: what the run found out before. */
  readonly parity: readonly ParityRow[];
  readonly lossCurve: LossCurve | null;
}

export interface Evaluation {
  readonly verdict: Verdict;
  readonly checks: readonly CheckResult[];
  /** The HTML page; `report.json` and `report.md` lie beside it. */
  readonly reportUri: string;
  readonly answers: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface ValidationDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly usage: DeploymentUsage;
}

export type ValidationActivities = ReturnType<typeof createValidationActivities>;

export function createValidationActivities(dependencies: ValidationDependencies) {
  return {
    /** Asks the deployed model its suite, judges the raw first answers, stores and records the report. */
    async evaluateModel(input: EvaluateModelInput): Promise<Evaluation> {
      let doing = 'making up the questions';
      return keepAlive(
        () => evaluate(dependencies, input, (text) => (doing = text)),
        () => doing,
      );
    },
  };
}

async function evaluate(
  { recipes, providers, registry, objects, usage }: ValidationDependencies,
  { spec, version, deployment, author, parity, lossCurve }: EvaluateModelInput,
  progress: (text: string) => void,
): Promise<Evaluation> {
  const startedAt = new Date(activityInfo().scheduledTimestampMs).toISOString();
  const recipe = choose(recipes, spec.recipe, 'recipe');
  const policy = choose(
    new Map(Object.entries(recipe.policies)),
    spec.validation.policy,
    'validation.policy',
  );
  const manifest = await loadManifest(objects, version.datasetManifestUri);
  const questions = recipe.suite({ ...spec.validation, heldOut: await heldOutRecords(objects, manifest) });
  const prefix = `${validationPrefix(spec.run.bucket, spec.model, spec.run.key)}/${answersKey(spec, deployment)}`;

  const answers = await askSuite({
    recipe,
    questions,
    client: choose(providers.inference, deployment.target, 'deployment.target'),
    modelId: deployment.deploymentId,
    temperature: spec.validation.temperature,
    objects,
    answersUri: `${prefix}/answers`,
    signal: cancellationSignal(),
    onProgress: (answered) => {
      usage.note(deployment.deploymentId);
      progress(`${answered} of ${questions.length} questions answered`);
    },
  });

  const { metrics, samples, rates } = aggregateMetrics(answers);
  const { verdict, checks } = decideGate(policy, metrics, samples, rates);
  const report = buildValidationReport({
    header: {
      ...headerOf(recipe, policy, manifest, { spec, version, deployment, author }),
      parity,
      lossCurve,
      startedAt,
      finishedAt: new Date().toISOString(),
    },
    verdict,
    checks,
    metrics,
    samples,
    answers,
    answersUri: `${prefix}/answers/`,
  });
  const reportUri = await storeReport(objects, prefix, report);
  await registry.recordValidation(author, spec.model, version.version, {
    verdict,
    policy: policy.id,
    samples: answers.length,
    metrics,
    checks,
    reportUri,
  });
  return { verdict, checks, reportUri, answers: answers.length, ...tokensOf(answers) };
}

function headerOf(
  recipe: Recipe,
  policy: GatePolicy,
  manifest: DatasetManifest,
  {
    spec,
    version,
    deployment,
    author,
  }: Pick<EvaluateModelInput, 'spec' | 'version' | 'deployment' | 'author'>,
): Omit<ReportHeader, 'startedAt' | 'finishedAt' | 'parity' | 'lossCurve'> {
  const { suite, seed, temperature } = spec.validation;
  return {
    model: {
      name: spec.model,
      version: version.version,
      modelId: version.modelId,
      deploymentId: deployment.deploymentId,
    },
    recipe: { name: recipe.name, hash: recipe.contentHash },
    dataset: { sha256: manifest.sha256, uri: manifest.manifestUri, records: manifest.records },
    ruleset: { hash: recipe.rulesetHash },
    policy: { id: policy.id, hash: sha256(canonicalJson(policy)) },
    suite: { name: suite, seed, temperature },
    cloud: spec.cloud,
    ...author,
  };
}

async function storeReport(objects: ObjectStore, prefix: string, report: ValidationReport): Promise<string> {
  await objects.put(`${prefix}/report.json`, renderReportJson(report), 'application/json');
  await objects.put(`${prefix}/report.md`, renderReportMarkdown(report), 'text/markdown; charset=utf-8');
  await objects.put(`${prefix}/report.html`, renderReportHtml(report), 'text/html; charset=utf-8');
  return `${prefix}/report.html`;
}

/** Answers are reused only for the same questions to the same deployment. */
function answersKey(spec: ResolvedRunSpec, deployment: DeploymentReference): string {
  return sha256(canonicalJson([spec.recipeHash, spec.validation, deployment.deploymentId])).slice(0, 10);
}

function tokensOf(answers: readonly ScoredAnswer[]): { inputTokens: number; outputTokens: number } {
  return {
    inputTokens: answers.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
