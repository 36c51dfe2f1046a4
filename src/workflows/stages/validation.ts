import type { DeploymentReference } from '../../domain/deployment.js';
import type { Verdict } from '../../domain/evaluation/evaluation.js';
import type { CheckResult } from '../../domain/evaluation/gate-policy.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { inferenceUsd } from '../../domain/money.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { failWith } from '../failures.js';
import { validation } from '../proxies.js';
import type { Run } from '../run.js';
import { servedParity } from './parity.js';

/**
 * First whether a deployment of a converted model answers as its file; then asks the deployed version the whole suite
 * and judges its raw first answers by the gate policy.
 */
export async function validationStage(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
  deployment: DeploymentReference,
): Promise<Verdict> {
  return run.stage('validation', 'ValidationFailed', async (stage) => {
    const parity = await servedParity(run, spec, version, deployment);
    if (parity !== 'passed') return parity;
    const minutes = spec.deadlines.validationMinutes;
    const { suite, policy, samples } = spec.validation;
    const evaluated = await validation(
      `Ask ${samples} questions of suite ${suite}, judge by policy ${policy}`,
      minutes * 60_000,
    ).evaluateModel({
      spec,
      version,
      deployment,
      author: run.author,
      parity: run.state.parity,
      lossCurve: run.state.job?.lossCurve ?? null,
    });

    const { verdict, checks, reportUri, answers, inputTokens, outputTokens } = evaluated;
    run.state.verdict = verdict;
    run.state.checks = checks;
    run.state.report = reportUri;
    run.spend(`validation: ${answers} answers`, inferenceUsd({ inputTokens, outputTokens, ...spec.prices }));
    stage.note = `${verdict} on ${answers} raw answers: ${summarize(checks)}`;
    if (verdict === 'error') {
      throw failWith('ValidationFailed', `could not measure: ${stage.note}`, [{ report: reportUri }]);
    }
    return verdict;
  });
}

/** The critical checks that broke; where none did, what they measured. */
function summarize(checks: readonly CheckResult[]): string {
  const critical = checks.filter((check) => check.critical);
  const broken = critical.filter(({ status }) => status !== 'pass');
  if (broken.length > 0) return broken.map(({ explanation }) => explanation.replace(/\.$/, '')).join('; ');
  return critical.map(({ metric, value }) => `${metric} ${Number(value?.toFixed(4))}`).join(', ');
}
