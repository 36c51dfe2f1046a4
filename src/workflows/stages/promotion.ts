import { CancellationScope } from '@temporalio/workflow';
import type { Promotion } from '../../activities/registry/activities.js';
import type { ModelHolder } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { registry } from '../proxies.js';
import { type Run, throwIfCancelled } from '../run.js';

export interface PromotionRequest {
  readonly action: 'promote' | 'rollback';
  readonly by: string;
  readonly notes: string;
}

/**
 * Moves the alias `champion`, hands the version what was bought for it, and gives back what only the
 * version before last needed. Not torn by a cancel: a half promotion would serve nobody.
 */
export async function promotionStage(
  run: Run,
  version: Pick<ModelVersion, 'model' | 'version'>,
  request: PromotionRequest,
): Promise<void> {
  throwIfCancelled();
  await run.stage('promotion', 'DeploymentFailed', (stage) =>
    CancellationScope.nonCancellable(async () => {
      const promotion = await registry(`Move champion to version ${version.version}`).promoteVersion({
        ...request,
        model: version.model,
        version: version.version,
        author: run.author,
      });
      run.state.champion = promotion.champion;
      run.state.previousChampion = promotion.previousChampion;
      await run.handOverTo(version);
      await giveBackSuperseded(run, promotion);
      run.state.billing = await registry('What bills now?').describeBilling(version.model);
      stage.note = `version ${promotion.champion} is champion${promotion.previousChampion ? `, version ${promotion.previousChampion} stands by` : ''}`;
    }),
  );
}

/** The previous champion keeps its model for a rollback, but no deployment that bills by the hour. */
async function giveBackSuperseded(run: Run, { superseded, costlyStandby }: Promotion): Promise<void> {
  for (const version of superseded) await tearDownVersion(run, version, 'superseded');
  if (costlyStandby) await releaseDeployment(run, costlyStandby, 'stands by without an hourly deployment');
}

/** Deployment → model → files, then the registry; what could not be deleted stays registered. */
export async function tearDownVersion(run: Run, version: ModelVersion, notes: string): Promise<void> {
  const { deployment, trainingJob } = await registry('What does the version keep?').leasesOfVersion(version);
  const holder = holderOf(version);
  const isUndeployed =
    !deployment || (await run.release(deployment, holder, `delete deployment ${deployment.name}`));
  const isDeleted = await run.release(trainingJob, holder, `delete model ${version.modelName} and its files`);
  if (!isUndeployed || !isDeleted) return;
  await registry(`Archive version ${version.version}`).retireVersion(run.author, {
    model: version.model,
    version: version.version,
    action: 'teardown',
    notes,
  });
}

async function releaseDeployment(run: Run, version: ModelVersion, notes: string): Promise<void> {
  const { deployment } = await registry('What does the version keep?').leasesOfVersion(version);
  if (!deployment) return;
  const isGone = await run.release(deployment, holderOf(version), `delete deployment ${deployment.name}`);
  if (!isGone) return;
  const forget = registry(`Version ${version.version} ${notes}`);
  await forget.forgetDeployment(run.author, version.model, version.version, notes);
}

function holderOf({ model, version }: ModelVersion): ModelHolder {
  return { kind: 'model-version', model, version };
}
