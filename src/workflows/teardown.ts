import { CancellationScope } from '@temporalio/workflow';
import type { RunResult } from '../domain/run-state.js';
import { failWith } from './failures.js';
import { tearDownVersion } from './give-back.js';
import { registry } from './proxies.js';
import { runOnVersion } from './version-run.js';

/**
 * Deletes what a version keeps: deployment, then model, then files. Without a version it takes every one
 * of the model's except the champion, which needs `force`.
 */
export async function teardown(input: unknown): Promise<RunResult> {
  return runOnVersion(input, 'newest', async ({ run, input: { version: wanted, notes, force }, spec }) => {
    const versions = await registry('Which versions are there?').listVersions(spec.model);
    const named = versions.filter(({ version }) => wanted === undefined || version === wanted);
    const champion = named.find(({ status }) => status === 'champion');
    if (champion && wanted !== undefined && !force) {
      throw failWith(
        'InvalidInput',
        `version: ${wanted} is the champion of ${spec.model} and serves; give "force": true to delete it all the same.`,
      );
    }
    const doomed = named.filter(
      ({ status }) =>
        status !== 'rejected' && status !== 'archived' && (status !== 'champion' || force === true),
    );
    await CancellationScope.nonCancellable(async () => {
      for (const version of doomed)
        await tearDownVersion(run.purchases, version, notes ?? 'torn down by hand');
    });
    run.purchases.requireTeardown();
    run.state.version = wanted ?? null;
    const serving = versions.find(({ status }) => status === 'champion');
    run.state.champion = serving && !doomed.includes(serving) ? serving.version : null;
    return 'tornDown';
  });
}
