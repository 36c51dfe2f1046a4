import type { DeploymentReference } from '../../domain/deployment.js';
import { deploymentLease } from '../../domain/lease.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { deploymentName } from '../../domain/names.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { bookCommitment } from '../budget.js';
import { deploymentPoll, deploymentPurchase } from '../proxies.js';
import type { Run } from '../run.js';
import { purchaseMs, serviceHours } from './deadlines.js';

/** Serves a version on a deployment of its own, and waits until it answers. */
export async function deploymentStage(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
): Promise<DeploymentReference> {
  return run.stage('deployment', 'DeploymentFailed', async (stage) => {
    const name = deploymentName(spec.model, spec.run.key, 1);
    const usdPerHour = spec.prices.deploymentUsdPerHour;
    const resource = deploymentLease({
      target: spec.deployment.target,
      name: name.name,
      model: spec.model,
      usdPerHour,
    });
    run.state.deployment = { name: name.name, id: null, status: 'creating', usdPerHour };
    const create = (isPatient: boolean) =>
      deploymentPurchase(
        `Create ${spec.deployment.target} ${name.name}`,
        purchaseMs(spec, isPatient),
      ).createDeployment({ spec, version, name, author: run.author, isPatient });
    const deployment = await run.purchases.buy(resource, serviceHours(spec), create);
    bookCommitment(run, spec, resource);
    run.state.deployment = { name: name.name, id: deployment.deploymentId, status: 'creating', usdPerHour };
    stage.note = `${name.name} is being created on ${spec.deployment.target}`;
    run.show();

    const minutes = spec.deadlines.deploymentMinutes;
    await deploymentPoll(
      `Wait until ${name.name} answers (up to ${minutes} min)`,
      minutes * 60_000,
    ).awaitDeployment({
      spec,
      version,
      deployment,
      author: run.author,
    });
    run.state.deployment = { name: name.name, id: deployment.deploymentId, status: 'ready', usdPerHour };
    stage.note = `${name.name} answers on ${spec.deployment.target}`;
    return deployment;
  });
}
