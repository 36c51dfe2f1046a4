import type { SwapReport } from '../../activities/deployment/activities.js';
import type { Promotion } from '../../activities/registry/activities.js';
import { deploymentLease, type ModelHolder } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import type { Swap } from '../../domain/placement.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { failWith } from '../failures.js';
import { deploymentPoll, deploymentSwap, leases } from '../proxies.js';
import type { Run } from '../run.js';

/**
 * Points the champion's deployment at another version, has it answer, and only then has the alias moved. When
 * any of it fails the champion is put back. If this run dies in the middle, the lease of its lock puts it back.
 */
export async function swapIn(
  run: Run,
  spec: ResolvedRunSpec,
  swap: Swap,
  version: ModelVersion,
  move: () => Promise<Promotion>,
): Promise<{ problem: string; promotion: null } | { problem: null; promotion: Promotion }> {
  try {
    const { serves, problem } = await pointAt(spec, swap, version.modelId, `version ${version.version}`);
    if (!serves) {
      await putBack(run, spec, swap);
      return { problem: problem ?? 'it did not answer', promotion: null };
    }
    const promotion = await move();
    await handOverDeployment(swap, version);
    return { problem: null, promotion };
  } catch (error) {
    // Once the alias has moved there is nothing to put back.
    if (run.state.champion !== version.version) await putBack(run, spec, swap);
    throw error;
  }
}

async function pointAt(
  spec: ResolvedRunSpec,
  { deployment }: Swap,
  modelId: string,
  what: string,
): Promise<SwapReport> {
  await deploymentSwap(`Point ${deployment.name} at ${what}`).pointDeployment(deployment, modelId);
  const minutes = spec.deadlines.deploymentMinutes;
  return deploymentPoll(`Wait until ${deployment.name} answers as ${what}`, minutes * 60_000).awaitSwap({
    deployment,
    modelId,
    waiting: spec.waiting,
  });
}

async function putBack(run: Run, spec: ResolvedRunSpec, swap: Swap): Promise<void> {
  const { champion, deployment } = swap;
  const what = `champion version ${champion.version}`;
  const { serves, problem } = await pointAt(spec, swap, champion.modelId, what);
  run.state.undone.push({ what: `point ${deployment.name} back at ${what}`, problem });
  if (serves) return;
  throw failWith('DeploymentFailed', `${deployment.name} was not brought back to ${what}: ${problem}`);
}

async function handOverDeployment({ champion, deployment }: Swap, version: ModelVersion): Promise<void> {
  const { target, name, usdPerHour } = deployment;
  const resource = deploymentLease({ target, name, model: version.model, usdPerHour });
  const holder = (of: number): ModelHolder => ({ kind: 'model-version', model: version.model, version: of });
  await leases(`Hand over ${name}`).handOverLease(
    resource,
    holder(champion.version),
    holder(version.version),
  );
}
