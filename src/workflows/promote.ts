import type { RunResult } from '../domain/run-state.js';
import { failWith } from './failures.js';
import { deploymentAnswer } from './proxies.js';
import { requireDeployment } from './require-deployment.js';
import { promotionStage } from './stages/promotion.js';
import { runOnVersion } from './version-run.js';

/** Makes a deployed version the champion; one that did not pass its gate needs `force`. */
export async function promote(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'newest', async ({ run, input: { by, notes, force }, spec, version }) => {
    const deployment = requireDeployment(version);
    if (version.verdict !== 'passed' && !force) {
      throw failWith(
        'InvalidInput',
        `version: ${version.model} version ${version.version} has verdict ${version.verdict ?? 'none'}; only a passed version is promoted. Start validate first, or give "force": true.`,
      );
    }
    await deploymentAnswer('Does it answer?').proveItAnswers(deployment);
    await promotionStage(run, spec, version, {
      swap: null,
      action: 'promote',
      by: by ?? run.author.workflowId,
      notes: notes ?? (force ? 'promoted by force' : 'promoted by hand'),
    });
    return 'promoted';
  });
}
