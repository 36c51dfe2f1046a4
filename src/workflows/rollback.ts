import type { RunResult } from '../domain/run-state.js';
import { deployments } from './proxies.js';
import { deploymentStage } from './stages/deployment.js';
import { promotionStage } from './stages/promotion.js';
import { runOnVersion } from './version-run.js';

/**
 * Brings the previous champion back, or the version named. It must answer before the alias moves; where
 * its deployment was given back because it billed by the hour, a new one is created first.
 */
export async function rollback(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'previous-champion', async ({ run, input: { by, notes }, spec, version }) => {
    const { deployment } = version;
    const live = deployment && (await deployments('Is its deployment there?').findDeployment(deployment));
    if (deployment && live?.status === 'ready') {
      await deployments('Does it answer?').proveItAnswers(deployment);
    } else {
      await deploymentStage(run, spec, version);
    }
    await promotionStage(run, version, {
      action: 'rollback',
      by: by ?? run.author.workflowId,
      notes: notes ?? 'rolled back',
    });
    return 'rolledBack';
  });
}
