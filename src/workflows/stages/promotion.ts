import { CancellationScope } from '@temporalio/workflow';
import type { PromoteInput, Promotion } from '../../activities/registry/activities.js';
import { modelLock } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import type { Swap } from '../../domain/placement.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { giveBackSuperseded } from '../give-back.js';
import { registry, removal } from '../proxies.js';
import { throwIfCancelled } from '../purchases.js';
import type { Run } from '../run.js';
import { swapIn } from './swap.js';

export interface PromotionRequest {
  /** The champion's deployment, where the version takes that over; null where it has one of its own. */
  readonly swap: Swap | null;
  readonly action: 'promote' | 'rollback';
  readonly by: string;
  readonly notes: string;
}

/**
 * Moves the alias `champion`, hands the version what was bought for it, and gives back what only the
 * version before last needed. Not torn by a cancel: a half promotion would serve nobody.
 *
 * Returns null, or why the version did not take over the champion's deployment, which then serves as before.
 */
export async function promotionStage(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
  { swap, ...request }: PromotionRequest,
): Promise<string | null> {
  throwIfCancelled();
  return run.stage('promotion', 'DeploymentFailed', (stage) =>
    CancellationScope.nonCancellable(async () => {
      const move = () => moveChampion(run, version, { ...request, inheritsDeployment: swap !== null });
      const { problem, promotion } = swap
        ? await swapIn(run, spec, swap, version, move)
        : { problem: null, promotion: await move() };
      if (promotion === null) return problem;
      if (swap) await run.purchases.giveBackDeployments();
      await run.purchases.handOverTo(version);
      // After a reset, the lease on what serves may still name the version that served before.
      await removal.restoreChampion(modelLock(version.model));
      await giveBackSuperseded(run.purchases, promotion);
      run.state.billing = await registry('What bills now?').describeBilling(version.model);
      stage.note = `version ${promotion.champion} is champion${promotion.previousChampion ? `, version ${promotion.previousChampion} stands by` : ''}`;
      return null;
    }),
  );
}

async function moveChampion(
  run: Run,
  { model, version }: ModelVersion,
  request: Omit<PromoteInput, 'model' | 'version' | 'author'>,
): Promise<Promotion> {
  const promotion = await registry(`Move champion to version ${version}`).promoteVersion({
    ...request,
    model,
    version,
    author: run.author,
  });
  run.state.champion = promotion.champion;
  run.state.previousChampion = promotion.previousChampion;
  return promotion;
}
