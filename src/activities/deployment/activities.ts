import { activityInfo } from '@temporalio/activity';
import { servedModelId } from '../../domain/artifact.js';
import type { DeploymentDescription, DeploymentReference } from '../../domain/deployment.js';
import { NotSeenYet, PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { ownershipTags, type ResourceName } from '../../domain/names.js';
import type { Placement, Swap } from '../../domain/placement.js';
import type { Purchase } from '../../domain/purchase.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import type { Waiting } from '../../domain/waiting.js';
import type { AdmissionQueue } from '../admission/admission-queue.js';
import { inTurn } from '../admission/in-turn.js';
import { choose, type Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';
import { findSwap, placeCandidate } from './placement.js';

export interface CreateDeploymentInput {
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
  readonly name: ResourceName;
  readonly author: Author;
  /** See `Turn.isPatient`. */
  readonly isPatient: boolean;
}

export interface AwaitDeploymentInput {
  readonly spec: Pick<ResolvedRunSpec, 'model' | 'waiting' | 'prices'>;
  readonly version: ModelVersion;
  readonly deployment: DeploymentReference;
  readonly author: Author;
}

export interface AwaitSwapInput {
  readonly deployment: DeploymentReference;
  /** The model that it was pointed at. */
  readonly modelId: string;
  readonly waiting: Waiting;
}

/** Whether a deployment answers with the model that it was pointed at. */
export interface SwapReport {
  readonly serves: boolean;
  /** For people; null where it serves. */
  readonly problem: string | null;
}

export interface DeploymentDependencies {
  readonly providers: Providers;
  readonly registry: Registry;
  readonly admission: AdmissionQueue;
}

export type DeploymentActivities = ReturnType<typeof createDeploymentActivities>;

export function createDeploymentActivities({ providers, registry, admission }: DeploymentDependencies) {
  return {
    /** Where a candidate is tried; see `Placement`. */
    async placeCandidate(spec: ResolvedRunSpec, version: ModelVersion): Promise<Placement> {
      return placeCandidate(registry, providers, spec, version);
    },

    async findSwap(version: ModelVersion): Promise<Swap | null> {
      return findSwap(registry, providers, version);
    },

    /** Creates the deployment, or adopts it; queues where the target has no room for it. */
    async createDeployment(input: CreateDeploymentInput): Promise<Purchase<DeploymentReference>> {
      const { spec, version, name, author, isPatient } = input;
      const target = choose(providers.targets, spec.deployment.target, 'deployment.target');
      const request = {
        target: target.name,
        name: name.name,
        idempotencyToken: name.idempotencyToken,
        modelId: servedModelId(version),
        tags: {
          ...ownershipTags({ ...author, model: spec.model, stage: 'deployment', bucket: spec.run.bucket }),
          'anneal:version': String(version.version),
        },
        settings: spec.deployment.settings,
      };
      const queue = `${target.name}/deployment/${version.baseModel}`;
      const turn = { queue, ticket: name.name, isPatient, waiting: spec.waiting };
      return inTurn(admission, turn, (isCurrent) =>
        target.create(request, isCurrent).catch((error: unknown) => {
          if (!(error instanceof NotSeenYet) || !mayAppear(spec.waiting)) throw error;
          throw new Error(error.message, { cause: error });
        }),
      );
    },

    /** Points a deployment at another model; fine when it is on its way there already. */
    async pointDeployment(deployment: DeploymentReference, modelId: string): Promise<void> {
      const target = choose(providers.targets, deployment.target, 'deployment.target');
      await keepAlive(() => target.update(deployment, modelId));
    },

    /** Returns once a deployment has settled after `pointDeployment`, and says whether it answers as itself. */
    async awaitSwap({ deployment, modelId, waiting }: AwaitSwapInput): Promise<SwapReport> {
      const target = choose(providers.targets, deployment.target, 'deployment.target');
      const description = await keepAlive(() => target.describe(deployment));
      if (description === null) return { serves: false, problem: `${deployment.name} is gone` };
      const { status, rawStatus, failureMessage } = description;
      if (status === 'updating' || status === 'creating') {
        lookAgain(`${deployment.name} is ${rawStatus}`, waiting);
      }
      if (status === 'failed' || description.modelId !== modelId) {
        // A first look may still see it as it was before.
        if (isEarly(waiting)) lookAgain(`${deployment.name} is ${rawStatus}, not yet updated`, waiting);
        const said = failureMessage ?? `it is ${rawStatus} and serves ${description.modelId ?? 'nothing'}`;
        return { serves: false, problem: `${deployment.name} did not take the model over: ${said}` };
      }
      return keepAlive(() => askAfterSwap(providers, deployment));
    },

    /** Returns once the deployment answers a question; throws `DeploymentFailed` when it never will. */
    async awaitDeployment(input: AwaitDeploymentInput): Promise<DeploymentDescription> {
      const { spec, version, deployment, author } = input;
      const target = choose(providers.targets, deployment.target, 'deployment.target');
      const description = await keepAlive(() => target.describe(deployment));
      if (description === null) {
        if (mayAppear(spec.waiting)) lookAgain(`${deployment.name} is not to be seen yet`, spec.waiting);
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
      await awaitFirstAnswer(providers, deployment, spec.waiting);
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

const hiddenMs = 10_000;

/** Within the first looks of a wait. */
function isEarly({ firstMinuteSeconds }: Waiting): boolean {
  return Date.now() - activityInfo().scheduledTimestampMs < 3 * firstMinuteSeconds * 1000;
}

/** What was created a moment ago may be hidden for a while, however slow or fast the looks are. */
function mayAppear(waiting: Waiting): boolean {
  return isEarly(waiting) || Date.now() - activityInfo().scheduledTimestampMs < hiddenMs;
}

/** Looks for which something that is ready may refuse its first questions. */
const looksAtRefusal = 20;

/**
 * What is ready may take its first questions for invalid, or for questions to nobody: a refusal is final only
 * once it has stood for a while. When it was met first is remembered from look to look.
 */
async function awaitFirstAnswer(
  providers: Providers,
  deployment: DeploymentReference,
  waiting: Waiting,
): Promise<void> {
  const remembered = activityInfo().heartbeatDetails as { readonly refusedSinceMs?: number } | undefined;
  try {
    await keepAlive(
      () => askIfItAnswers(providers, deployment),
      () => remembered,
    );
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    const refusedSinceMs = remembered?.refusedSinceMs ?? Date.now();
    const patienceMs = Math.max(hiddenMs, looksAtRefusal * waiting.firstMinuteSeconds * 1000);
    if (Date.now() - refusedSinceMs > patienceMs) throw error;
    lookAgain(`${deployment.name} is ready and does not answer yet: ${error.message}`, waiting, {
      refusedSinceMs,
    });
  }
}

async function askAfterSwap(providers: Providers, deployment: DeploymentReference): Promise<SwapReport> {
  try {
    await askIfItAnswers(providers, deployment);
    return { serves: true, problem: null };
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    return { serves: false, problem: `${deployment.name} does not answer: ${error.message}` };
  }
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
