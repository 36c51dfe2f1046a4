import type { DeploymentDescription, DeploymentReference } from '../../domain/deployment.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { ownershipTags, type ResourceName } from '../../domain/names.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { choose, type Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';

export interface CreateDeploymentInput {
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
  readonly name: ResourceName;
  readonly author: Author;
}

export interface AwaitDeploymentInput {
  readonly spec: Pick<ResolvedRunSpec, 'model' | 'waiting' | 'prices'>;
  readonly version: ModelVersion;
  readonly deployment: DeploymentReference;
  readonly author: Author;
}

export type DeploymentActivities = ReturnType<typeof createDeploymentActivities>;

export function createDeploymentActivities({
  providers,
  registry,
}: {
  providers: Providers;
  registry: Registry;
}) {
  return {
    async createDeployment({
      spec,
      version,
      name,
      author,
    }: CreateDeploymentInput): Promise<DeploymentReference> {
      const target = choose(providers.targets, spec.deployment.target, 'deployment.target');
      return keepAlive(() =>
        target.create({
          target: target.name,
          name: name.name,
          idempotencyToken: name.idempotencyToken,
          modelId: version.modelId,
          tags: ownershipTags({ ...author, model: spec.model, stage: 'deployment' }),
          settings: spec.deployment.settings,
        }),
      );
    },

    /** Returns once the deployment answers a question; throws `DeploymentFailed` when it never will. */
    async awaitDeployment(input: AwaitDeploymentInput): Promise<DeploymentDescription> {
      const { spec, version, deployment, author } = input;
      const target = choose(providers.targets, deployment.target, 'deployment.target');
      const description = await keepAlive(() => target.describe(deployment));
      if (description === null) {
        throw new PermanentFailure(
          'DeploymentFailed',
          `DeploymentFailed: ${deployment.name} is gone; somebody deleted it while it was being created.`,
        );
      }
      if (description.status === 'failed') {
        const reason = description.failureMessage ?? 'the target gives no reason';
        throw new PermanentFailure('DeploymentFailed', `DeploymentFailed: ${deployment.name}: ${reason}`);
      }
      if (description.status !== 'ready') {
        lookAgain(`${deployment.name} is ${description.rawStatus}`, spec.waiting);
      }
      await keepAlive(() => askIfItAnswers(providers, deployment));
      await registry.recordDeployment(author, spec.model, version.version, {
        ...deployment,
        usdPerHour: spec.prices.deploymentUsdPerHour,
      });
      return description;
    },

    /** Asks one short question of what a version's deployment serves; throws when it does not answer. */
    async proveItAnswers(deployment: DeploymentReference): Promise<void> {
      await askIfItAnswers(providers, deployment);
    },

    async findDeployment(deployment: DeploymentReference): Promise<DeploymentDescription | null> {
      return choose(providers.targets, deployment.target, 'deployment.target').describe(deployment);
    },
  };
}

/** A deployment can say that it is ready and still refuse its first questions; only an answer proves it. */
async function askIfItAnswers(providers: Providers, deployment: DeploymentReference): Promise<void> {
  const client = choose(providers.inference, deployment.target, 'deployment.target');
  await client.ask({
    modelId: deployment.deploymentId,
    system: null,
    turns: [{ role: 'user', text: 'Are you ready?' }],
    maxTokens: 8,
    temperature: 0,
  });
}
