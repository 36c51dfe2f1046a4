import type { ModelVersion } from '../domain/model-version.js';
import type { Swap } from '../domain/placement.js';
import type { ResolvedRunSpec } from '../domain/run-spec.js';
import type { RunResult } from '../domain/run-state.js';
import { mayCommit } from './budget.js';
import { failWith } from './failures.js';
import { deploymentAnswer, deployments } from './proxies.js';
import type { Run } from './run.js';
import { deploymentStage } from './stages/deployment.js';
import { promotionStage } from './stages/promotion.js';
import { runOnVersion } from './version-run.js';

/**
 * Brings the previous champion back, or the version named. It must answer before the alias moves: from its
 * own deployment, else in place of the champion's where the cloud can swap, else from a new one.
 */
export async function rollback(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'previous-champion', async ({ run, input: { by, notes }, spec, version }) => {
    const swap = await standIn(run, spec, version);
    if (swap === 'declined') return 'declined';
    const problem = await promotionStage(run, spec, version, {
      swap,
      action: 'rollback',
      by: by ?? run.author.workflowId,
      notes: notes ?? 'rolled back',
    });
    if (problem === null) return 'rolledBack';
    throw failWith('DeploymentFailed', `${problem}. The champion serves as before.`);
  });
}

/** Sees to it that the version can serve; returns the champion's deployment where it is to take over that. */
async function standIn(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
): Promise<Swap | null | 'declined'> {
  const { deployment } = version;
  const live = deployment && (await deployments('Is its deployment there?').findDeployment(deployment));
  if (deployment && live?.status === 'ready') {
    await deploymentAnswer('Does it answer?').proveItAnswers(deployment);
    return null;
  }
  const swap = await deployments("Can it take over the champion's deployment?").findSwap(version);
  if (swap !== null) return swap;
  if (!(await mayCommit(run, spec))) return 'declined';
  await deploymentStage(run, spec, version);
  return null;
}
