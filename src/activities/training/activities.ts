import type { DatasetManifest } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { ownershipTags, type ResourceName, trainingOutputUri } from '../../domain/names.js';
import type { Purchase } from '../../domain/purchase.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../domain/training-job.js';
import type { AdmissionQueue } from '../admission/admission-queue.js';
import { inTurn } from '../admission/in-turn.js';
import { choose, type Providers } from '../providers.js';
import type { Author, Registry } from '../registry/registry.js';
import { keepAlive, lookAgain } from '../waiting.js';
import { fingerprint } from './fingerprint.js';
import type { TrainingProvider } from './provider.js';

export interface SubmitTrainingJobInput {
  readonly spec: ResolvedRunSpec;
  readonly dataset: DatasetManifest;
  readonly name: ResourceName;
  readonly author: Author;
  /** See `Turn.isPatient`. */
  readonly isPatient: boolean;
}

export interface AwaitTrainingJobInput {
  readonly spec: Pick<ResolvedRunSpec, 'model' | 'training' | 'waiting'>;
  readonly job: TrainingJobReference;
  readonly author: Author;
}

export interface RegisterVersionInput {
  readonly spec: ResolvedRunSpec;
  readonly dataset: DatasetManifest;
  readonly job: TrainingJobReference;
  readonly modelId: string;
  readonly author: Author;
}

export type TrainingActivities = ReturnType<typeof createTrainingActivities>;

export interface TrainingDependencies {
  readonly providers: Providers;
  readonly registry: Registry;
  readonly admission: AdmissionQueue;
}

export function createTrainingActivities({ providers, registry, admission }: TrainingDependencies) {
  return {
    /** Whether training again would buy the model that serves already. */
    async compareWithChampion(
      spec: ResolvedRunSpec,
      dataset: DatasetManifest,
    ): Promise<{ champion: number | null; unchanged: boolean }> {
      const champion = await registry.champion(spec.model);
      return {
        champion: champion?.version ?? null,
        unchanged: champion?.fingerprint === fingerprint(spec, dataset),
      };
    },

    /** Starts the job, or adopts it; queues where the provider has no room for it. */
    async submitTrainingJob(input: SubmitTrainingJobInput): Promise<Purchase<TrainingJobReference>> {
      const { spec, name, author, isPatient } = input;
      const provider = choose(providers.training, spec.training.provider, 'training.provider');
      const request = toRequest(provider, input);
      const turn = {
        queue: `${provider.name}/training-job`,
        ticket: name.name,
        isPatient,
        waiting: spec.waiting,
      };
      const purchase = await inTurn(admission, turn, (isCurrent) => provider.submit(request, isCurrent));
      if ('obstacle' in purchase) return purchase;
      const job = purchase.bought;
      await registry.recordTrainingJob(author, spec.model, request, job.jobId, await provider.describe(job));
      return purchase;
    },

    /** Returns once the job has ended, however it ended; see `lookAgain` for what it costs until then. */
    async awaitTrainingJob(input: AwaitTrainingJobInput): Promise<TrainingJobDescription> {
      const { spec, job, author } = input;
      const provider = choose(providers.training, job.provider, 'training.provider');
      const description = await keepAlive(() => provider.describe(job));
      if (!isTerminal(description.status)) {
        lookAgain(`${job.jobName} is ${description.rawStatus} (${description.progress})`, spec.waiting);
      }
      await registry.recordTrainingJob(
        author,
        spec.model,
        {
          provider: job.provider,
          jobName: job.jobName,
          baseModel: spec.training.baseModel,
          hyperparameters: spec.training.hyperparameters,
        },
        job.jobId,
        description,
      );
      return description;
    },

    async registerVersion(input: RegisterVersionInput): Promise<ModelVersion> {
      const { spec, dataset, job, modelId, author } = input;
      if (modelId === '') {
        throw new PermanentFailure('TrainingFailed', `TrainingFailed: ${job.jobName} ended without a model.`);
      }
      return registry.registerVersion(author, {
        model: spec.model,
        recipe: spec.recipe,
        provider: job.provider,
        baseModel: spec.training.baseModel,
        modelName: job.modelName,
        modelId,
        jobName: job.jobName,
        datasetSha256: dataset.sha256,
        datasetManifestUri: dataset.manifestUri,
        fingerprint: fingerprint(spec, dataset),
      });
    },
  };
}

function toRequest(
  provider: TrainingProvider,
  { spec, dataset, name, author }: SubmitTrainingJobInput,
): TrainingJobRequest {
  // Rules that depend on the dataset's size, such as warm-up, apply from here on.
  const { hyperparameters, settings } = provider.resolve({
    baseModel: spec.training.baseModel,
    hyperparameters: spec.training.hyperparameters,
    settings: spec.training.settings,
    records: dataset.training.records,
  });
  return {
    provider: provider.name,
    jobName: name.name,
    modelName: name.name,
    idempotencyToken: name.idempotencyToken,
    baseModel: spec.training.baseModel,
    hyperparameters,
    training: dataset.training,
    validation: dataset.validation,
    outputUri: trainingOutputUri(spec.run.bucket, spec.model, name.name),
    tags: ownershipTags({ ...author, model: spec.model, stage: 'training', bucket: spec.run.bucket }),
    settings,
  };
}
